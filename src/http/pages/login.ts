import type { Context } from 'koa';
import { isSameSecret } from '../auth/bearer.ts';
import type { Attempts } from '../auth/attempts.ts';
import type { SessionCookie } from '../auth/cookie.ts';
import { SESSION_MS, type LoggedIn, type LogIns } from '../auth/log-ins.ts';
import { readForm } from './form.ts';
import { html, type Html } from './html.ts';
import { icon, type Frame } from './layout.ts';
import { open, type PageAnswer, type PageRoute } from './page.ts';

export interface LoginDeps {
  token: string;
  logIns: LogIns;
  cookie: SessionCookie;
  attempts: Attempts;
  addressOf(ctx: Context): string;
  /** People may log in with GitHub. */
  withGitHub: boolean;
}

/** Logging in with the admin token or a link that serves once, and logging out. */
export function loginRoutes(deps: LoginDeps): PageRoute[] {
  const { logIns, cookie, attempts } = deps;

  async function whoIs(form: URLSearchParams): Promise<string | undefined> {
    const code = form.get('code');
    if (code !== null) return await logIns.redeem(code);
    return isSameSecret(form.get('token')?.trim() ?? '', deps.token) ? 'admin' : undefined;
  }

  const waysIn = (query: URLSearchParams, frame: Frame, wrong?: string) =>
    deps.withGitHub
      ? html`<div class="ask">${githubButton(frame, query)}</div>
<details class="login-token"${wrong === undefined ? '' : html` open`}><summary>Use the admin token</summary>${tokenForm(frame, query, wrong)}</details>`
      : tokenForm(frame, query, wrong);

  return [
    open('get', '/login', async ({ frame, query }, viewer) => {
      const code = query.get('code');
      if (viewer !== undefined && code === null) {
        return { redirect: placeOf(query.get('next') ?? '', frame) };
      }
      // A link is used by a click and not by being opened: chats and mail programs open links too.
      frame.actor = undefined;
      return card(frame, code === null ? waysIn(query, frame) : linkForm(frame, code));
    }),
    open('post', '/login', async ({ ctx, frame, query }) => {
      const form = await readForm(ctx);
      const address = deps.addressOf(ctx);
      attempts.check(address);
      // Until it is known: of many at once each counts before the next is judged.
      const takeBack = attempts.fail(address);
      const actor = await whoIs(form);
      frame.actor = undefined;
      if (actor === undefined) {
        const wrong = form.has('code')
          ? 'This link was used already, or is older than 15 minutes.'
          : 'That is not the admin token.';
        return { ...card(frame, waysIn(query, frame, wrong)), status: 403 };
      }
      takeBack();
      await enter(deps, ctx, { actor, githubId: undefined });
      return { redirect: placeOf(query.get('next') ?? '', frame) };
    }),
    open('post', '/logout', async ({ ctx, query }) => {
      const id = cookie.read(ctx);
      const who = id === undefined ? undefined : await logIns.find(id);
      if (id !== undefined && who !== undefined) {
        await (query.has('everywhere') ? logIns.endAll(who) : logIns.end(id));
      }
      cookie.clear(ctx);
      return { redirect: './login' };
    }),
    open('post', '/theme', async ({ ctx, frame }) => {
      const next = { auto: 'light', light: 'dark', dark: 'auto' }[frame.theme];
      ctx.append('Set-Cookie', `mainsheet-theme=${next}; Path=/; Max-Age=31536000; SameSite=Lax`);
      return { redirect: backTo(ctx.get('Referer'), frame) };
    }),
  ];
}

/** Begins a session with a new id; the one that the browser had before ends. */
export async function enter(
  { logIns, cookie }: Pick<LoginDeps, 'logIns' | 'cookie'>,
  ctx: Context,
  who: LoggedIn,
): Promise<void> {
  const before = cookie.read(ctx);
  if (before !== undefined) await logIns.end(before);
  cookie.write(ctx, await logIns.begin(who), SESSION_MS);
}

/** Where a log-in leads: only below the dashboard, whatever the address says. */
export function placeOf(next: string, { root }: Frame): string {
  return /^[\w?-][\w./?=&%+-]{0,500}$/.test(next) && !/\.\.|%2e/i.test(next) ? root + next : root;
}

/** The page that a form was on; its path alone, and only the part below the dashboard can be known. */
function backTo(referer: string, frame: Frame): string {
  const path = URL.parse(referer)?.pathname.slice(1) ?? '';
  return placeOf(path, frame);
}

function card(frame: Frame, form: Html): PageAnswer & object {
  return {
    page: {
      title: 'Log in',
      body: html`<main id="main" class="login"><div class="login-card">
<h1 class="brand">${icon(frame, 'logo')}<span>Mainsheet</span></h1>
<div class="panel">${form}</div>
</div></main>`,
    },
  };
}

function githubButton(frame: Frame, query: URLSearchParams): Html {
  const next = query.get('next');
  const more = next === null ? '' : `?${new URLSearchParams({ next }).toString()}`;
  return html`<a class="button is-primary login-github" href="${frame.root}auth/github${more}">${icon(frame, 'person')}Log in with GitHub</a>
<p class="small muted">You see and do here what GitHub lets you in each repository.</p>`;
}

function tokenForm(frame: Frame, query: URLSearchParams, wrong?: string): Html {
  const next = query.get('next');
  const action = next === null ? 'login' : `login?${new URLSearchParams({ next }).toString()}`;
  return html`<form class="ask" method="post" action="${frame.root}${action}">
<div>
<label class="label-text" for="token">Admin token</label>
<input class="field mono" id="token" name="token" type="password" required autofocus autocomplete="current-password" spellcheck="false"${
    wrong === undefined ? '' : html` aria-invalid="true" aria-describedby="wrong"`
  }>
${wrong === undefined ? '' : html`<p id="wrong" class="small tone is-failed login-wrong">${wrong}</p>`}
</div>
<button class="button is-primary">Log in</button>
<p class="small muted">The value of <code>MAINSHEET_ADMIN_TOKEN</code>, or what is in <code>admin-token</code> in the data directory. Without it, on the server:</p>
<code class="command">mainsheet login</code>
</form>`;
}

function linkForm(frame: Frame, code: string): Html {
  return html`<form class="ask" method="post" action="${frame.root}login">
<input type="hidden" name="code" value="${code}">
<p>This link logs you in as <span class="strong">admin</span>. It works once.</p>
<button class="button is-primary" autofocus>Log in</button>
</form>`;
}
