import { createHash, timingSafeEqual } from 'node:crypto';
import type { Context } from 'koa';

/** Whether a request may use the API: it may be told more on a route that answers everybody. */
export function hasAccess(ctx: Context, token: string): boolean {
  const [scheme, given] = ctx.get('Authorization').split(' ');
  return scheme?.toLowerCase() === 'bearer' && given !== undefined && isSameSecret(given, token);
}

/** Compares digests, so that neither the content nor the length shows in the time it takes. */
export function isSameSecret(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
