import { createHash } from 'node:crypto';
import * as z from 'zod';
import { RetryableError, TerminalError } from '../lib/errors.ts';
import { createBoundedFetch } from './bounded-fetch.ts';
import type { KnownUser } from './permissions.ts';

/** An App, or an OAuth App, that people log in through. */
export interface SignInApp {
  clientId: string;
  clientSecret: string;
}

/**
 * GitHub's web flow, with PKCE: https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
 */
export interface SignIn {
  /** Where a browser is sent. `redirectUrl` undefined: the one that the App has. */
  authorizeUrl(request: {
    state: string;
    verifier: string;
    redirectUrl: string | undefined;
  }): string;
  /**
   * Who the browser's user is that came back with `code`. The user's token is revoked before this resolves: what it could do is
   * never needed. Throws TerminalError `sign-in-refused` for a code that GitHub does not take, RetryableError when it has no answer.
   */
  userOf(answer: {
    code: string;
    verifier: string;
    redirectUrl: string | undefined;
  }): Promise<KnownUser>;
}

/** The path to which GitHub sends a browser back. */
export const SIGN_IN_CALLBACK = '/auth/github/callback';

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 1024 * 1024;

const tokenAnswer = z.object({ access_token: z.string().min(1).max(1000) });
const refusal = z.object({ error: z.string() });
const userAnswer = z.object({
  id: z.int().positive(),
  login: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/),
});

/** `serverUrl` and `apiUrl` have no slash at the end. `onUnrevoked` hears that a token could not be revoked: it ends by itself. */
export function createSignIn(deps: {
  app: SignInApp;
  serverUrl: string;
  apiUrl: string;
  userAgent: string;
  fetch: typeof fetch;
  onUnrevoked: (error: unknown) => void;
}): SignIn {
  const { app, serverUrl, apiUrl } = deps;
  const send = createBoundedFetch({
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_BYTES,
    fetch: deps.fetch,
  });

  async function request(
    url: string,
    init: { method: string; headers: Record<string, string>; body?: URLSearchParams | string },
  ): Promise<unknown> {
    const answer = await send(url, {
      ...init,
      headers: { Accept: 'application/json', 'User-Agent': deps.userAgent, ...init.headers },
    });
    if (answer.status >= 500 || answer.status === 429) throw noAnswer(answer.status);
    if (!answer.ok) throw refused(`GitHub answered ${answer.status}`);
    if (answer.status === 204) return undefined;
    try {
      return await answer.json();
    } catch (cause) {
      throw noAnswer(answer.status, cause);
    }
  }

  async function exchange(parameters: Record<string, string>): Promise<string> {
    const told = await request(`${serverUrl}/login/oauth/access_token`, {
      method: 'POST',
      headers: {},
      body: new URLSearchParams(parameters),
    });
    const token = tokenAnswer.safeParse(told);
    if (token.success) return token.data.access_token;
    // GitHub says what is wrong with a 200.
    const said = refusal.safeParse(told);
    throw said.success ? refused('GitHub does not take the code') : noAnswer(200);
  }

  return {
    authorizeUrl({ state, verifier, redirectUrl }) {
      const query = new URLSearchParams({
        client_id: app.clientId,
        state,
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
        ...(redirectUrl === undefined ? {} : { redirect_uri: redirectUrl }),
      });
      return `${serverUrl}/login/oauth/authorize?${query.toString()}`;
    },

    async userOf({ code, verifier, redirectUrl }) {
      const token = await exchange({
        client_id: app.clientId,
        client_secret: app.clientSecret,
        code,
        code_verifier: verifier,
        ...(redirectUrl === undefined ? {} : { redirect_uri: redirectUrl }),
      });
      try {
        const headers = { Authorization: `Bearer ${token}` };
        const user = userAnswer.safeParse(
          await request(`${apiUrl}/user`, { method: 'GET', headers }),
        );
        if (!user.success) throw noAnswer(200);
        return user.data;
      } finally {
        await revoke(token).catch(deps.onUnrevoked);
      }
    },
  };

  /** https://docs.github.com/en/rest/apps/oauth-applications#delete-an-app-token */
  async function revoke(token: string): Promise<void> {
    const basic = Buffer.from(`${app.clientId}:${app.clientSecret}`).toString('base64');
    await request(`${apiUrl}/applications/${encodeURIComponent(app.clientId)}/token`, {
      method: 'DELETE',
      headers: { Authorization: `Basic ${basic}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ access_token: token }),
    });
  }
}

function refused(message: string): TerminalError {
  return new TerminalError('sign-in-refused', message, { hint: 'log in again' });
}

function noAnswer(status: number, cause?: unknown): RetryableError {
  const message = `GitHub answered ${status} with something else than its log-in does`;
  return new RetryableError('github-unreadable', message, { cause });
}
