import { resolve } from 'node:path';
import { adminTokenFile, isToken } from '../config/admin-token-file.ts';
import { readSecretFile } from '../config/secret-file.ts';
import { readWayOut } from '../config/way-out.ts';
import { describeError } from '../lib/errors.ts';
import { createFetch } from '../lib/way-out.ts';
import { UsageError } from './usage-error.ts';

type Environment = Record<string, string | undefined>;

/** Where the server is: as asked for, `MAINSHEET_URL`, or this machine's `PORT`. Throws UsageError `invalid-url`. */
export function serverUrl(env: Environment, asked: string | undefined): string {
  const text = asked ?? nonEmpty(env['MAINSHEET_URL']);
  if (text === undefined) {
    const url = `http://127.0.0.1:${nonEmpty(env['PORT']) ?? '3000'}`;
    if (isHttpUrl(url)) return url;
    throw new UsageError('invalid-url', 'PORT is not a port', {
      hint: 'write a number, 1 to 65535',
    });
  }
  if (isHttpUrl(text)) return text;
  throw new UsageError(
    'invalid-url',
    `${asked === undefined ? 'MAINSHEET_URL' : '--server'} is not an http or https URL`,
    { hint: 'write it like http://127.0.0.1:3000 or https://mainsheet.example.com' },
  );
}

/** Whether a request can be sent there. Credentials in a URL would end up in logs and in the shell's history. */
export function isHttpUrl(text: string): boolean {
  const url = URL.parse(text);
  return (
    url !== null &&
    (url.protocol === 'http:' || url.protocol === 'https:') &&
    url.username === '' &&
    url.password === ''
  );
}

/**
 * The API's bearer token: as set, else for a server on this machine the one that it made in its data directory. Throws
 * UsageError `token-malformed`, which does not show it, as `fetch` would.
 */
export function adminToken(env: Environment, server: string): string | undefined {
  const token = readSecret(env, 'MAINSHEET_ADMIN_TOKEN') ?? madeToken(env, server);
  if (token === undefined || isToken(token)) return token;
  throw new UsageError('token-malformed', 'MAINSHEET_ADMIN_TOKEN does not fit into a header', {
    hint: 'it has no spaces, line breaks or characters outside ASCII',
  });
}

/** No other machine is given the token of this one. Undefined when it is not there or not this user's to read. */
function madeToken(env: Environment, server: string): string | undefined {
  if (!/^(?:localhost|127\.[\d.]+|\[::1\])$/.test(new URL(server).hostname)) return undefined;
  try {
    const dataDir = resolve(nonEmpty(env['MAINSHEET_DATA_DIR']) ?? './data');
    return nonEmpty(readSecretFile(adminTokenFile(dataDir)));
  } catch {
    return undefined;
  }
}

/** A `fetch` that takes the way out that the environment names. Throws UsageError `way-out`. */
export function fetchOf(env: Environment): typeof fetch {
  const { wayOut, problems } = readWayOut(env);
  const [problem] = problems;
  if (problem !== undefined) throw new UsageError('way-out', problem);
  return createFetch(wayOut);
}

/**
 * A secret from `NAME`, or from the file that `NAME_FILE` names. Undefined when neither is set or it is empty. Throws UsageError
 * `secret-unreadable`.
 */
export function readSecret(env: Environment, name: string): string | undefined {
  const value = nonEmpty(env[name]);
  const file = nonEmpty(env[`${name}_FILE`]);
  if (value !== undefined || file === undefined) return value;
  try {
    return nonEmpty(readSecretFile(file));
  } catch (error) {
    throw new UsageError('secret-unreadable', `${name}_FILE cannot be used`, {
      cause: describeError(error),
    });
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === '' ? undefined : text.trim();
}
