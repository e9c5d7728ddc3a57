import type { Context } from 'koa';
import { ProblemError } from '../problem.ts';

/** More than a form sends in which one writes a line or two. */
const MOST_BYTES = 16 * 1024;

/** The fields of a form that was sent, of at most `most` bytes. Throws ProblemError 413 or 415. */
export async function readForm(ctx: Context, most = MOST_BYTES): Promise<URLSearchParams> {
  if (ctx.is('urlencoded') === false) {
    throw new ProblemError(415, 'not-a-form', 'the request is no form');
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of ctx.req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > most) {
      throw new ProblemError(413, 'form-too-large', `the form is larger than ${most / 1024} KiB`, {
        headers: { Connection: 'close' },
      });
    }
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}

/** A field of a short form, without room around it; empty when it is missing. */
export async function readField(ctx: Context, name: string): Promise<string> {
  return (await readForm(ctx)).get(name)?.trim() ?? '';
}
