import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** Who a request says it is from: none that it names, an App (its JSON web token is still to be verified), or a bearer of a token. */
type Caller = 'none' | 'app' | 'token' | 'unknown';

export interface Credentials {
  /** A personal token that is always good. */
  token: string;
  /** Makes a token good, as when an installation token was issued. */
  accept: (token: string) => void;
  /** Makes all that were issued bad, as when they expire; the personal token stays good. */
  revokeIssued: () => void;
  identify: (headers: IncomingHttpHeaders) => Caller;
}

/** The tokens that are good at the API, and as git's password with any user name. */
export function createCredentials(): Credentials {
  const token = `ghp_${randomBytes(18).toString('hex')}`;
  const good = new Set([token]);
  return {
    token,
    accept: (issued) => good.add(issued),
    revokeIssued() {
      good.clear();
      good.add(token);
    },
    identify({ authorization }) {
      if (authorization === undefined) return 'none';
      const [scheme = '', value = ''] = authorization.split(' ', 2);
      if (/^basic$/i.test(scheme)) {
        const [, ...password] = Buffer.from(value, 'base64').toString('utf8').split(':');
        return good.has(password.join(':')) ? 'token' : 'unknown';
      }
      if (!/^(?:bearer|token)$/i.test(scheme)) return 'unknown';
      if (good.has(value)) return 'token';
      return /^eyJ[\w-]*\.[\w-]+\.[\w-]+$/.test(value) ? 'app' : 'unknown';
    },
  };
}
