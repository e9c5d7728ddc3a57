import { createHash, timingSafeEqual } from 'node:crypto';
import type { Context } from 'koa';
import type { Attempts } from './attempts.ts';

/**
 * Whether a request has the admin token. One that has another counts as a log-in that failed. Throws ProblemError
 * `too-many-attempts`, for the right token too: else a guess would be answered all the same.
 */
export type HasToken = (ctx: Context) => boolean;

export function createHasToken(deps: {
  token: string;
  attempts: Attempts;
  addressOf: (ctx: Context) => string;
}): HasToken {
  return (ctx) => {
    const [scheme, given] = ctx.get('Authorization').split(' ');
    if (scheme?.toLowerCase() !== 'bearer' || given === undefined) return false;
    const address = deps.addressOf(ctx);
    deps.attempts.check(address);
    const isRight = isSameSecret(given, deps.token);
    if (!isRight) deps.attempts.fail(address);
    return isRight;
  };
}

/** Compares digests, so that neither the content nor the length shows in the time it takes. */
export function isSameSecret(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
