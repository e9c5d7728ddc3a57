/** The token of every server that tests start; those that are about having none set it to nothing. */
export const ADMIN_TOKEN = 'admin-token-of-the-tests';

/** `fetch` with the token, as an operator. */
export function asAdmin(
  url: string,
  init: RequestInit = {},
  token = ADMIN_TOKEN,
): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set('Authorization', `Bearer ${token}`);
  return fetch(url, { ...init, headers });
}
