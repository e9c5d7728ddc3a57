import type { PeopleDeps } from '../../src/http/auth/people.ts';
import type { Permission } from '../../src/github/permissions.ts';
import { cookieOf } from './pages/browser.ts';

/** What people may do: `{ writer: { 'acme/shop': 'write' } }`. Their numbers are their places in it, from 1. */
export type Rights = Record<string, Record<string, Permission>>;

/** A GitHub where the code is the login. */
export function peopleWith(rights: Rights, more: Partial<PeopleDeps> = {}): PeopleDeps {
  const idOf = (login: string) => Object.keys(rights).indexOf(login) + 1;
  return {
    signIn: {
      authorizeUrl: ({ state }) => `https://github.com/login/oauth/authorize?state=${state}`,
      userOf: async ({ code }) => ({ login: code, id: idOf(code) }),
    },
    permissions: {
      known: () => undefined,
      of: async (repository, { login }) => rights[login]?.[repository] ?? 'none',
      drop: () => undefined,
    },
    isAmple: () => true,
    members: { isMember: async () => false, idOf: async (_repository, login) => idOf(login) },
    admins: [],
    ...more,
  };
}

/** The first half of a log-in: the browser's cookie and GitHub's `state`. */
export async function beginLogIn(
  url: string,
  query = '',
): Promise<{ cookie: string; state: string; to: URL }> {
  const answer = await fetch(`${url}/auth/github${query}`, { redirect: 'manual' });
  const to = new URL(answer.headers.get('Location') ?? '');
  const [set = ''] = answer.headers.getSetCookie();
  return { cookie: set.split(';', 1)[0] ?? '', state: to.searchParams.get('state') ?? '', to };
}

/** The second half. */
export function comeBack(
  url: string,
  query: Record<string, string>,
  cookie: string,
): Promise<Response> {
  const search = new URLSearchParams(query).toString();
  return fetch(`${url}/auth/github/callback?${search}`, {
    redirect: 'manual',
    headers: { Cookie: cookie },
  });
}

/** Logs a user in through GitHub and gives the cookie of the session. */
export async function logInAs(url: string, login: string): Promise<string> {
  const { cookie, state } = await beginLogIn(url);
  const answer = await comeBack(url, { code: login, state }, cookie);
  if (answer.status !== 303) throw new Error(`the log-in answered ${answer.status}`);
  return cookieOf(answer);
}
