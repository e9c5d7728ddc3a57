import { Router } from '@koa/router';
import type { Context, Middleware } from 'koa';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Barrier } from '../../store/barrier.ts';
import type { Authenticate } from '../auth/authenticate.ts';
import { checkSameOrigin } from '../auth/same-origin.ts';
import type { Viewer } from '../auth/viewer.ts';
import type { AskCostly } from '../questions.ts';
import { explainError, ProblemError, type Problem } from '../problem.ts';
import type { Assets } from './assets.ts';
import { sendCompressed } from './compress.ts';
import { html } from './html.ts';
import { layout, icon, type Frame, type Theme } from './layout.ts';
import { asked, type PageAnswer, type PageRequest, type PageRoute } from './page.ts';

/** Nothing but what this server sends is run, shown or asked for. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Parts of a path that a page may have above it. */
const DEEPEST = 9;

export interface PageRouterDeps {
  authenticate: Authenticate;
  assets: Assets;
  publicUrl: string | undefined;
  version: string;
  clock: Pick<Clock, 'now'>;
  logger: Logger;
  flushed: Barrier;
  askCostly: AskCostly;
}

/** Serves pages. Errors are pages too; who is not logged in is led to the log-in and back. */
export function pageRouter(routes: readonly PageRoute[], deps: PageRouterDeps): Router {
  const router = new Router({ strict: false });
  for (const route of routes) router[route.method](route.path, serving(route, deps));
  return router;
}

/** Paths that lead nowhere, for those who would rather read a page than JSON. */
export function nowhere(deps: PageRouterDeps): Middleware {
  return async (ctx, next) => {
    await next();
    const isNothing = ctx.status === 404 && ctx.body === undefined;
    if (!isNothing || ctx.accepts('json', 'html') !== 'html') return;
    protect(ctx);
    const error = new ProblemError(404, 'no-such-route', `there is nothing at ${ctx.path}`);
    const frame = frameOf(ctx, deps);
    const page = layout(frame, errorPage(frame, explainError(ctx, error, deps.logger)));
    ctx.status = 404;
    await show(ctx, page.text);
  };
}

function serving(route: PageRoute, deps: PageRouterDeps): Middleware {
  return async (ctx) => {
    protect(ctx);
    const frame = frameOf(ctx, deps);
    try {
      // A log-in, too, must not be made by another site. A program with the token is no browser; what a browser sends to a proxy is Basic.
      if (!/^bearer /i.test(ctx.get('Authorization'))) checkSameOrigin(ctx, deps.publicUrl);
      const viewer = await whoAsks(ctx, route, deps);
      frame.actor = viewer?.actor;
      frame.seesAll = viewer !== undefined && viewer.visible === undefined;
      ctx.state['viewer'] = viewer;
      const params = ctx['params'] as Record<string, string>;
      const request = {
        ctx,
        frame,
        id: Object.values(params)[0] ?? '',
        params,
        query: new URLSearchParams(ctx.querystring),
      };
      let answer: PageAnswer;
      if (route.isOpen) answer = await route.serve(request, viewer);
      else if (viewer === undefined) return sendToLogin(ctx, frame);
      else {
        const serve = () => act(route.serve(request, viewer), ctx, viewer, deps);
        answer = await (isCostly(route, request) ? deps.askCostly(viewer, serve) : serve());
      }
      await send(ctx, frame, answer, deps);
    } catch (error) {
      const problem = explainError(ctx, error, deps.logger);
      ctx.status = problem.status;
      ctx.set(problem.headers);
      await show(ctx, layout(frame, errorPage(frame, problem)).text);
    }
  };
}

function isCostly({ costly }: PageRoute, { query }: PageRequest): boolean {
  return costly === 'always' || (costly === 'with q' && asked(query, 'q') !== undefined);
}

/** Open pages are for those too of whom GitHub does not say what they may see. */
async function whoAsks(
  ctx: Context,
  { isOpen }: PageRoute,
  { authenticate }: PageRouterDeps,
): Promise<Viewer | undefined> {
  try {
    return await authenticate(ctx);
  } catch (error) {
    if (isOpen && error instanceof ProblemError && error.status === 503) return undefined;
    throw error;
  }
}

/** What a person did is in the log, as it is when it was asked for through the API. */
async function act(
  doing: Promise<PageAnswer>,
  ctx: Context,
  viewer: Viewer,
  { logger }: PageRouterDeps,
): Promise<PageAnswer> {
  const answer = await doing;
  if (ctx.method === 'POST') logger.info({ by: viewer.actor, action: ctx.path }, 'operator acted');
  return answer;
}

async function send(
  ctx: Context,
  frame: Frame,
  answer: PageAnswer,
  { flushed }: PageRouterDeps,
): Promise<void> {
  await flushed();
  if (answer === undefined) return;
  if ('redirect' in answer) return redirect(ctx, answer.redirect);
  ctx.status = answer.status ?? 200;
  await show(ctx, 'page' in answer ? layout(frame, answer.page).text : answer.piece.text);
}

async function show(ctx: Context, text: string): Promise<void> {
  await sendCompressed(ctx, text);
  ctx.type = 'text/html; charset=utf-8';
}

/** After a change, and always relative: a proxy may have taken away a part of the path. htmx is told to load the whole page. */
function redirect(ctx: Context, to: string): void {
  if (ctx.get('HX-Request') === 'true') {
    ctx.set('HX-Redirect', to);
    ctx.status = 204;
    return;
  }
  ctx.status = 303;
  ctx.set('Location', to);
  ctx.body = '';
}

function sendToLogin(ctx: Context, { root }: Frame): void {
  const next = ctx.method === 'GET' ? ctx.path.slice(1) + ctx.search : '';
  redirect(ctx, `${root}login${next === '' ? '' : `?${new URLSearchParams({ next }).toString()}`}`);
}

function protect(ctx: Context): void {
  ctx.set('Content-Security-Policy', POLICY);
  // Pages of this server may know where one comes from: without TLS their `Origin` depends on it.
  ctx.set('Referrer-Policy', 'same-origin');
  ctx.set('X-Content-Type-Options', 'nosniff');
  ctx.set('X-Frame-Options', 'DENY');
  ctx.set('Cross-Origin-Opener-Policy', 'same-origin');
  ctx.set('Cross-Origin-Resource-Policy', 'same-origin');
  ctx.set('Cache-Control', 'no-store');
}

function frameOf(ctx: Context, { assets, clock, version }: PageRouterDeps): Frame {
  // No page is as deep as that: it is written into the page many times.
  const depth = Math.min(ctx.path.split('/').length - 2, DEEPEST);
  const own = depth <= 0 ? './' : '../'.repeat(depth);
  // A piece of a page is put into one that may be at another depth.
  const asked = ctx.get('HX-Request') === 'true' ? ctx.get('Mainsheet-Root') : '';
  return {
    root: /^(?:\.\/|(?:\.\.\/){1,9})$/.test(asked) ? asked : own,
    assets,
    actor: undefined,
    seesAll: false,
    theme: themeOf(ctx),
    now: clock.now(),
    version,
  };
}

function themeOf(ctx: Context): Theme {
  const theme = /(?:^|;\s*)mainsheet-theme=(light|dark)(?:;|$)/.exec(ctx.get('Cookie'))?.[1];
  return theme === 'light' || theme === 'dark' ? theme : 'auto';
}

function errorPage(frame: Frame, { title, detail, hint, status }: Problem) {
  const body = html`<main id="main" class="page"><div class="empty">
${icon(frame, status === 404 ? 'search' : 'alert')}
<h1>${title}</h1>
<p class="break">${detail[0]?.toUpperCase()}${detail.slice(1)}.</p>
${hint === undefined ? '' : html`<p class="break">${hint[0]?.toUpperCase()}${hint.slice(1)}.</p>`}
<p><a class="button" href="${frame.root}">Go to the overview</a></p>
</div></main>`;
  return { title, body };
}
