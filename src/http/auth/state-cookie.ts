import { randomBytes } from 'node:crypto';
import type { Context } from 'koa';
import * as z from 'zod';
import type { Seal } from '../../lib/seal.ts';
import { cookieNamed, cookieSetter } from './cookie.ts';

/** The way to GitHub and back may take so long. */
const STATE_MS = 10 * 60_000;

const CONTEXT = 'github-log-in';
const onTheWay = z.object({
  state: z.string(),
  verifier: z.string(),
  next: z.string(),
  expiresAt: z.number(),
});

/** A log-in that is under way at GitHub. */
export type OnTheWay = z.infer<typeof onTheWay>;

/** The cookie of the browser that has begun a log-in: sealed, so that no table fills up with log-ins that are never finished. */
export interface StateCookie {
  /** A new one, which is written. */
  begin(ctx: Context, next: string, now: number): OnTheWay;
  /** Undefined when there is none that is whole and young enough. It is cleared. */
  take(ctx: Context, now: number): OnTheWay | undefined;
}

/** `secure`: people reach Mainsheet by HTTPS. */
export function createStateCookie(seal: Seal, secure: boolean): StateCookie {
  const name = secure ? '__Host-mainsheet-login' : 'mainsheet-login';
  const set = cookieSetter(name, secure);
  const random = () => randomBytes(32).toString('base64url');
  return {
    begin(ctx, next, now) {
      const one = { state: random(), verifier: random(), next, expiresAt: now + STATE_MS };
      const text = seal.close(JSON.stringify(one), CONTEXT);
      set(ctx, Buffer.from(text, 'base64').toString('base64url'), STATE_MS / 1000);
      return one;
    },
    take(ctx, now) {
      const value = cookieNamed(ctx, name);
      if (value === undefined) return undefined;
      set(ctx, '', 0);
      const text = seal.open(Buffer.from(value, 'base64url').toString('base64'), CONTEXT);
      const found = text === undefined ? undefined : onTheWay.parse(JSON.parse(text));
      return found === undefined || found.expiresAt <= now ? undefined : found;
    },
  };
}
