import { createHash, timingSafeEqual } from 'node:crypto';
import { BlockList, isIPv4 } from 'node:net';
import type { Context, Middleware } from 'koa';
import { ProblemError } from './problem.ts';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/**
 * Who may use the API: whoever has the token; without a token, only programs on this machine. A request that a proxy
 * passed on, or that a browser made for another site's page (also one on this machine; also by DNS rebinding: the Host
 * then is that site's), does not count as coming from this machine. Sets `ctx.state.actor` to `admin` or `loopback`.
 */
export function access(token: string | undefined): Middleware {
  return async (ctx, next) => {
    ctx.state['actor'] = checkAccess(ctx, token);
    await next();
  };
}

/** Whether whoever asks may use the API: may be told more on a route that answers everybody. */
export function hasAccess(ctx: Context, token: string | undefined): boolean {
  try {
    checkAccess(ctx, token);
    return true;
  } catch (error) {
    if (error instanceof ProblemError) return false;
    throw error;
  }
}

function checkAccess(ctx: Context, token: string | undefined): string {
  return token === undefined ? checkLoopback(ctx) : checkToken(ctx, token);
}

function checkToken(ctx: Context, token: string): string {
  const [scheme, given] = ctx.get('Authorization').split(' ');
  if (scheme?.toLowerCase() === 'bearer' && given !== undefined && sameSecret(given, token)) {
    return 'admin';
  }
  throw new ProblemError(401, 'token-missing', 'the bearer token is missing or wrong', {
    hint: 'send "Authorization: Bearer …" with the value of MAINSHEET_ADMIN_TOKEN',
    headers: { 'WWW-Authenticate': 'Bearer realm="mainsheet"' },
  });
}

/** Compares digests, so that neither the content nor the length shows in the time it takes. */
function sameSecret(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function checkLoopback(ctx: Context): string {
  const forwarded = ['Forwarded', 'X-Forwarded-For', 'X-Real-IP'].some((name) => ctx.get(name));
  const origin = ctx.get('Origin');
  if (
    !forwarded &&
    isLoopback(ctx.req.socket.remoteAddress ?? '') &&
    isLoopbackHost(ctx.host) &&
    (origin === '' || origin === `http://${ctx.host}`)
  ) {
    return 'loopback';
  }
  throw new ProblemError(403, 'loopback-only', 'the API answers on this machine only', {
    hint: 'set MAINSHEET_ADMIN_TOKEN to use it from elsewhere',
  });
}

function isLoopback(address: string): boolean {
  const plain = address.replace(/^::ffff:/, '');
  return LOOPBACK.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6');
}

function isLoopbackHost(host: string): boolean {
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || isIPv4(name)
    ? name === 'localhost' || isLoopback(name)
    : name === '::1';
}
