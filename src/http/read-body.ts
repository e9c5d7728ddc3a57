import type { IncomingMessage } from 'node:http';
import { getRawBody } from 'raw-body';
import { ProblemError } from './problem.ts';

/** GitHub caps payloads at 25 MB: https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap */
const LARGEST_BODY = 25 * 1024 * 1024;

/** Request bodies in memory at once, in bytes, before more are turned away. */
const MOST_BYTES_AT_ONCE = 256 * 1024 * 1024;

/** Reads whole bodies, bounded each and together. */
export type ReadBody = (request: IncomingMessage) => Promise<Buffer>;

/**
 * The reader stops at the limit while it reads, so a missing or wrong Content-Length changes nothing. It throws
 * ProblemError 413 (too large), 429 (too much at once) or 400 (the sender hung up or lied about the length).
 */
export function createReadBody(
  limits = { each: LARGEST_BODY, together: MOST_BYTES_AT_ONCE },
): ReadBody {
  let held = 0;
  return async (request) => {
    const declared = Number(request.headers['content-length'] ?? 0);
    if (declared > limits.each) throw tooLarge(limits.each);
    if (held + declared > limits.together) throw tooMany();
    let mine = 0;
    const crowded = Promise.withResolvers<never>();
    const count = (chunk: Buffer) => {
      mine += chunk.length;
      held += chunk.length;
      // Many may have begun while there was room for all of them: who takes the last of it is turned away.
      if (held > limits.together) crowded.reject(tooMany());
    };
    request.on('data', count);
    try {
      const body = getRawBody(request, {
        limit: limits.each,
        ...(declared > 0 ? { length: declared } : {}),
      });
      return await Promise.race([body, crowded.promise]);
    } catch (error) {
      if (error instanceof ProblemError) {
        request.pause();
        throw error;
      }
      if (error instanceof Error && 'type' in error && error.type === 'entity.too.large') {
        throw tooLarge(limits.each);
      }
      throw new ProblemError(400, 'body-unreadable', 'the request ended before its body did', {
        cause: error,
        headers: { Connection: 'close' },
      });
    } finally {
      request.off('data', count);
      held -= mine;
    }
  };
}

function tooMany(): ProblemError {
  return new ProblemError(429, 'too-many-bodies', 'too many large requests are being read', {
    headers: { 'Retry-After': '5', Connection: 'close' },
  });
}

function tooLarge(limit: number): ProblemError {
  return new ProblemError(413, 'body-too-large', `the body is larger than ${limit} bytes`, {
    hint: 'GitHub sends at most 25 MB; check what else posts here',
    headers: { Connection: 'close' },
  });
}
