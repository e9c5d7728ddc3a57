import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { Router } from '@koa/router';
import Koa, { type Context, type Middleware } from 'koa';
import type { Logger } from '../../lib/logger.ts';
import type { MadeApp, Manifest } from '../../github/manifest.ts';
import { isSameSecret } from '../auth/bearer.ts';
import { createAssets } from '../pages/assets.ts';
import { layout, type Frame } from '../pages/layout.ts';
import { ProblemError, problems } from '../problem.ts';
import { asSecret, doneBody, manifestBody, secretBody, type Asked } from './page.ts';

const COOKIE = 'mainsheet-setup';
/** Pages of the button that are open at once; of more the oldest is forgotten. */
const MOST_STATES = 100;
const LOGIN = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/;

export interface SetupDeps {
  /** The secret of the link that the start has printed: it opens the page once. */
  token: string;
  publicUrl: string | undefined;
  /** Where GitHub is, without a slash at the end. */
  serverUrl: string;
  version: string;
  logger: Logger;
  /** What GitHub is to make. */
  manifest(
    app: Pick<Asked, 'name' | 'publicUrl' | 'hubs' | 'workflows'> & { redirectUrl: string },
  ): Manifest;
  /** Exchanges the code that GitHub's redirect has brought. */
  convert(code: string): Promise<MadeApp>;
  /** Keeps the App, so that the next start finds it. */
  keep(app: MadeApp): Promise<void>;
}

/** The server that runs until there is a GitHub App. */
export interface SetupServer {
  /** Not yet listening. */
  server: Server;
  /** Resolves when the App is kept and its page was answered. */
  made: Promise<void>;
}

/**
 * `/setup` leads through GitHub's manifest flow (https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest).
 * Only the browser that has used the printed link may, and only with a `state` that the page has given out.
 */
export function createSetupServer(deps: SetupDeps): SetupServer {
  const assets = createAssets();
  const { promise: made, resolve } = Promise.withResolvers<void>();
  /** The browser that has used the link, and what it was asked to do with the App, by `state`. */
  let browser: string | undefined;
  const states = new Map<string, Asked['keep']>();

  function mayGoOn(ctx: Context): void {
    const given = ctx.cookies.get(COOKIE) ?? '';
    if (browser !== undefined && isSameSecret(given, browser)) return;
    throw new ProblemError(403, 'setup-link', 'this page opens with the link that the log shows', {
      hint: 'the link works once; restart Mainsheet for another',
    });
  }

  function show(ctx: Context, title: string, body: ReturnType<typeof doneBody>): void {
    const frame: Frame = {
      root: '../'.repeat(ctx.path.split('/').length - 2) || './',
      assets,
      actor: undefined,
      seesAll: false,
      theme: 'auto',
      now: Date.now(),
      version: deps.version,
    };
    ctx.set({
      'Content-Security-Policy': `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self' ${deps.serverUrl}; base-uri 'none'; frame-ancestors 'none'`,
      // Addresses of these pages have secrets in them.
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
      'Cache-Control': 'no-store',
    });
    ctx.type = 'text/html; charset=utf-8';
    ctx.body = layout(frame, { title, body }).text;
  }

  const router = new Router();

  router.get('/setup', (ctx) => {
    const { token } = ctx.query;
    if (typeof token === 'string') {
      if (browser !== undefined || !isSameSecret(token, deps.token)) mayGoOn(ctx);
      else {
        browser = randomBytes(32).toString('base64url');
        // Lax: the way back from GitHub begins on another site.
        ctx.cookies.set(COOKIE, browser, {
          httpOnly: true,
          sameSite: 'lax',
          path: '/',
          overwrite: true,
        });
      }
      ctx.redirect('./setup');
      return;
    }
    mayGoOn(ctx);
    const asked = readAsked(ctx, deps.publicUrl);
    const state = randomBytes(16).toString('base64url');
    states.set(state, asked.keep);
    const [oldest = ''] = states.keys();
    if (states.size > MOST_STATES) states.delete(oldest);
    const place = asked.owner === '' ? 'settings' : `organizations/${asked.owner}/settings`;
    const action = `${deps.serverUrl}/${place}/apps/new?state=${state}`;
    const manifest = deps.manifest({
      ...asked,
      redirectUrl: `${asked.publicUrl}/setup/callback`,
    });
    show(ctx, 'Set up', manifestBody({ asked, action, manifest }));
  });

  router.get('/setup/callback', async (ctx) => {
    mayGoOn(ctx);
    const { code, state } = ctx.query;
    const keep = typeof state === 'string' ? states.get(state) : undefined;
    if (keep === undefined || typeof code !== 'string' || !/^[\w-]{1,200}$/.test(code)) {
      throw new ProblemError(400, 'setup-state', 'this is not the way back from the button', {
        hint: 'open /setup and press it again',
      });
    }
    // A code serves once, as does the page that has asked for it.
    states.clear();
    const app = await deps.convert(code);
    if (keep === 'kubernetes') return show(ctx, 'Set up', secretBody(app, asSecret(app)));
    await deps.keep(app);
    deps.logger.info({ app: app.url }, 'the GitHub App is made');
    ctx.set('Connection', 'close');
    ctx.res.once('close', resolve);
    show(ctx, 'Set up', doneBody(app));
  });

  router.get('/healthz', (ctx) => {
    ctx.body = { status: 'ok' };
  });

  const app = new Koa();
  app.on('error', () => undefined);
  app.use(problems(deps.logger));
  app.use(assets.serve);
  app.use(router.routes());
  app.use(notYet);
  const handle = app.callback();
  const server = createServer(
    { headersTimeout: 10_000, requestTimeout: 60_000 },
    (request, response) => void handle(request, response),
  );
  return { server, made };
}

/** What comes before there is an App is to come again: GitHub shows it as failed, and it is read from there later. */
const notYet: Middleware = (ctx) => {
  if (ctx.path === '/') return ctx.redirect('./setup');
  throw new ProblemError(503, 'not-set-up', 'there is no GitHub App yet', {
    hint: 'open the link that the log shows',
    headers: { 'Retry-After': '60' },
  });
};

/** What the page was asked for, or what it begins with. Throws ProblemError 400. */
function readAsked(ctx: Context, publicUrl: string | undefined): Asked {
  const query = new URLSearchParams(ctx.querystring);
  const address = query.get('url') ?? publicUrl ?? `${ctx.protocol}://${ctx.host}`;
  const url = URL.parse(address);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '') {
    throw new ProblemError(400, 'setup-url', 'the address is no http or https URL');
  }
  const owner = query.get('owner')?.trim() ?? '';
  if (owner !== '' && !LOGIN.test(owner)) {
    throw new ProblemError(400, 'setup-owner', 'that is no name of an organization');
  }
  return {
    owner,
    name: (query.get('name')?.trim() ?? '').slice(0, 34) || 'Mainsheet',
    publicUrl: (url.origin + url.pathname).replace(/\/+$/, ''),
    hubs: query.has('hubs'),
    workflows: query.has('workflows'),
    keep: query.get('keep') === 'kubernetes' ? 'kubernetes' : 'here',
  };
}
