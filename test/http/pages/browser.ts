import { ADMIN_TOKEN } from '../../support/admin.ts';

/** What a browser sends with a form of the same site. */
export const SAME_SITE = {
  'Sec-Fetch-Site': 'same-origin',
  'Content-Type': 'application/x-www-form-urlencoded',
};

/** Logs in with the admin token and gives the cookie. */
export async function logIn(url: string, headers: Record<string, string> = {}): Promise<string> {
  const answer = await fetch(`${url}/login`, {
    method: 'POST',
    redirect: 'manual',
    headers: { ...SAME_SITE, ...headers },
    body: new URLSearchParams({ token: ADMIN_TOKEN }),
  });
  if (answer.status !== 303) throw new Error(`the log-in answered ${answer.status}`);
  return cookieOf(answer);
}

/** `name=value` of the session's cookie that an answer sets. */
export function cookieOf(answer: Response): string {
  const set = answer.headers.getSetCookie().find((one) => /^(?:__Host-)?mainsheet=/.test(one));
  return set?.split(';', 1)[0] ?? '';
}
