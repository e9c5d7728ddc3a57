import type { Context } from 'koa';
import { ProblemError } from '../problem.ts';

/**
 * Refuses what another site makes a browser send, for everything that changes something by a cookie: as Go's
 * `CrossOriginProtection` does, https://words.filippo.io/csrf/. `Sec-Fetch-Site` is sent over HTTPS and on this machine; where
 * it is missing, `Origin` must name the host that was asked, or the public one. A browser sends one of the two.
 */
export function checkSameOrigin(ctx: Context, publicUrl: string | undefined): void {
  if (['GET', 'HEAD'].includes(ctx.method)) return;
  const site = ctx.get('Sec-Fetch-Site');
  if (site === 'same-origin' || site === 'none') return;
  if (site === '' && isOwn(ctx, publicUrl)) return;
  throw new ProblemError(403, 'cross-origin', 'the request comes from another site', {
    hint: 'open the page again and try it there; programs send the bearer token and no cookie',
  });
}

function isOwn(ctx: Context, publicUrl: string | undefined): boolean {
  const origin = URL.parse(ctx.get('Origin'))?.host;
  if (origin === undefined || origin === '') return false;
  return origin === ctx.get('Host').toLowerCase() || origin === URL.parse(publicUrl ?? '')?.host;
}
