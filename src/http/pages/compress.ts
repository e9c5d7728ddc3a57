import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { Context } from 'koa';

const toBrotli = promisify(brotliCompress);
const toGzip = promisify(gzip);

/** Below this, a smaller answer is not sooner there. */
const WORTH_IT = 1024;

/** Sends text as small as the client takes it. */
export async function sendCompressed(ctx: Context, text: string): Promise<void> {
  ctx.vary('Accept-Encoding');
  const plain = Buffer.from(text);
  const encoding =
    plain.length < WORTH_IT ? 'identity' : ctx.acceptsEncodings('br', 'gzip', 'identity');
  if (encoding === 'br') {
    ctx.set('Content-Encoding', 'br');
    ctx.body = await toBrotli(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } });
  } else if (encoding === 'gzip') {
    ctx.set('Content-Encoding', 'gzip');
    ctx.body = await toGzip(plain);
  } else {
    ctx.body = plain;
  }
}
