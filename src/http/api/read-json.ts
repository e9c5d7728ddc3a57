import type { Context } from 'koa';
import { ProblemError } from '../problem.ts';

/** Bytes of a JSON body that the API reads at most. */
export const MOST_JSON = 1024 * 1024;

/**
 * The JSON body of a request whose sender is known, undefined when there is none. Throws ProblemError 400 (not JSON, or cut off),
 * 413 (larger than `MOST_JSON`) and 415 (something else than JSON).
 */
export async function readJson(ctx: Context): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    // The connection is left open, so that a refusal can be read.
    for await (const chunk of ctx.req.iterator({
      destroyOnReturn: false,
    }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MOST_JSON) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof ProblemError) throw cause;
    throw new ProblemError(400, 'body-unreadable', 'the request ended before its body did', {
      cause,
    });
  }
  if (size === 0) return undefined;
  if (ctx.is('application/json') === false) {
    throw new ProblemError(415, 'not-json', 'the body of this request must be JSON', {
      hint: 'send it with Content-Type: application/json',
    });
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)));
  } catch (cause) {
    throw new ProblemError(400, 'not-json', 'the body is not valid JSON', { cause });
  }
}

function tooLarge(): ProblemError {
  return new ProblemError(413, 'body-too-large', `the body is larger than ${MOST_JSON} bytes`, {
    headers: { Connection: 'close' },
  });
}
