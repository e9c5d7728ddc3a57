import { describeError } from '../lib/errors.ts';
import { readUrl } from './read-url.ts';
import type { Targets } from './targets.ts';

/** Bytes of an answer that are read. */
const MOST_BYTES = 1024 * 1024;
/** One request of many. */
const REQUEST_MS = 60_000;

/** An answer, as expressions see it. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  /** JSON where it says that it is, else text. */
  body: unknown;
}

export interface Question {
  url: string;
  method: string;
  headers: Record<string, string>;
  body?: string | undefined;
  signal: AbortSignal;
}

/** A request that could not be made, or whose answer cannot be used. Its message names the host alone. */
export class AskError extends Error {
  override readonly name = 'AskError';
}

/** The other system has said that it does not do what it was asked for. */
export class RefusedError extends AskError {}

/** An answer of more bytes than are read. */
export class TooLargeError extends AskError {}

/** An answer that is not as the other system documents it. */
export class NotUnderstoodError extends AskError {}

/** One request of a step. Redirects are not followed: they would carry it, and its secret, to another place. Throws AskError. */
export type Ask = (question: Question) => Promise<Answer>;

export function createAsk(deps: { targets: Targets; fetch: typeof fetch }): Ask {
  return async ({ url: text, signal, ...init }) => {
    const url = readUrl(text);
    deps.targets.check(url.hostname);
    const late = AbortSignal.timeout(REQUEST_MS);
    try {
      const response = await deps.fetch(url.href, {
        ...init,
        body: init.body ?? null,
        headers: { 'user-agent': 'mainsheet', ...init.headers },
        redirect: 'manual',
        signal: AbortSignal.any([signal, late]),
      });
      const body = await readBody(response);
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        body: isJson(response) ? asJson(body, url.host) : body,
      };
    } catch (cause) {
      if (cause instanceof AskError || signal.aborted) throw cause;
      const reason = late.aborted
        ? `did not answer within ${REQUEST_MS / 1000} s`
        : 'cannot be asked';
      throw new AskError(`${url.host} ${reason}: ${describeError(cause)}`, { cause });
    }
  };
}

async function readBody(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > MOST_BYTES) throw new TooLargeError(`the answer is larger than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function isJson(response: Response): boolean {
  return /^application\/(?:[\w.+-]+\+)?json\b/i.test(response.headers.get('content-type') ?? '');
}

function asJson(text: string, host: string): unknown {
  if (text.trim() === '') return null;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AskError(`${host} says that it answers JSON, and does not`, { cause });
  }
}
