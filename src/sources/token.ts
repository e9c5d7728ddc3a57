import { hash, timingSafeEqual } from 'node:crypto';
import type { BodyCheck, Incoming, Source, Verify } from './contract.ts';
import { required, unsigned } from './signature.ts';

const WRONG_TOKEN = unsigned('the token is none of the hook');

/** Nothing of the body is signed: who has the token may send any. */
const ANY_BODY: BodyCheck = {
  signed: undefined,
  whole: () => true,
  update: () => undefined,
  matches: () => true,
  refusal: () => WRONG_TOKEN,
};

const NO_BODY: BodyCheck = {
  ...ANY_BODY,
  refusesAll: true,
  whole: () => false,
  matches: () => false,
};

/** The check of a token, which takes the same time wherever two tokens differ. Throws TerminalError `bad-signature` where there is none. */
export function tokenVerifier(
  secrets: readonly string[],
  read: (request: Incoming) => string,
): Verify {
  const digests = secrets.filter((secret) => secret !== '').map(digestOf);
  return (request) => {
    const given = digestOf(read(request));
    return digests.some((digest) => timingSafeEqual(digest, given)) ? ANY_BODY : NO_BODY;
  };
}

function digestOf(text: string): Buffer {
  // As text it takes half the time.
  return Buffer.from(hash('sha256', text, 'hex'), 'latin1');
}

function tokenSource(read: (request: Incoming) => string): Source {
  return {
    verifier: (secrets) => tokenVerifier(secrets, read),
    identify: () => ({ id: undefined, type: undefined }),
  };
}

/** `Authorization: Bearer <token>`: https://www.rfc-editor.org/rfc/rfc6750#section-2.1 */
export const bearer = tokenSource((request) => authorization(request, 'Bearer'));

/** `Authorization: Basic …`; the secret is `user:password`: https://www.rfc-editor.org/rfc/rfc7617 */
export const basic: Source = {
  ...tokenSource((request) =>
    Buffer.from(authorization(request, 'Basic'), 'base64').toString('utf8'),
  ),
  secretFrom: (bytes) => `hook:${bytes.toString('base64url')}`,
};

/** The secret is the last part of the path. */
export const path = tokenSource(({ token }) => {
  if (token !== '') return token;
  throw unsigned('the path has no token behind the id of the hook');
});

/** A header of the sender's has the secret. */
export const header: Source = {
  verifier(secrets, { header: name = '' }) {
    return tokenVerifier(secrets, (request) => required(request.header(name), name));
  },
  identify: () => ({ id: undefined, type: undefined }),
};

function authorization({ header: read }: Incoming, scheme: string): string {
  const [, given = '', token = ''] =
    /^(\S+) +(\S+)$/.exec(required(read('Authorization'), 'Authorization')) ?? [];
  if (given.toLowerCase() === scheme.toLowerCase()) return token;
  throw unsigned(`the header Authorization is not ${scheme} and a token`);
}
