import type { IncomingMessage } from 'node:http';
import { finished } from 'node:stream';
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
    const take = (bytes: number) => {
      mine += bytes;
      held += bytes;
      if (mine > limits.each) throw tooLarge(limits.each);
      // Many may have begun while there was room for all of them: who takes the last of it is turned away.
      if (held > limits.together) throw tooMany();
    };
    try {
      return await collect(request, take);
    } catch (error) {
      if (error instanceof ProblemError) throw error;
      throw new ProblemError(400, 'body-unreadable', 'the request ended before its body did', {
        cause: error,
        headers: { Connection: 'close' },
      });
    } finally {
      held -= mine;
    }
  };
}

/**
 * All that comes, until `take`, which hears of each piece's bytes before it is kept, throws: then nothing of it is kept any more,
 * whatever still comes. Rejects when the connection ends before the body.
 */
function collect(request: IncomingMessage, take: (bytes: number) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const forget = finished(request, { writable: false }, (error) => {
      if (error) refuse(error);
      else resolve(Buffer.concat(chunks));
    });
    request.on('data', keep);

    function keep(chunk: Buffer): void {
      try {
        take(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        request.pause();
        refuse(error);
      }
    }

    function refuse(error: unknown): void {
      request.off('data', keep);
      forget();
      chunks.length = 0;
      reject(error);
    }
  });
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
