import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Context } from 'koa';

/** With TLS the prefix keeps neighbouring hosts from setting it: https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Set-Cookie */
const nameOf = (secure: boolean) => (secure ? '__Host-mainsheet' : 'mainsheet');

/** The cookie that holds a session's id, signed so that a made-up one costs no look into the store. */
export interface SessionCookie {
  /** The id of a cookie whose signature is right. */
  read(ctx: Context): string | undefined;
  write(ctx: Context, id: string, maxAgeMs: number): void;
  clear(ctx: Context): void;
}

/** `keys`: the first signs, each is accepted. `secure`: people reach Mainsheet by HTTPS. */
export function createSessionCookie(keys: readonly string[], secure: boolean): SessionCookie {
  const name = nameOf(secure);
  const set = cookieSetter(name, secure);
  return {
    read(ctx) {
      const [id = '', signature = ''] = cookieNamed(ctx, name)?.split('.') ?? [];
      if (!/^[\w-]{43}$/.test(id) || !/^[\w-]{43}$/.test(signature)) return undefined;
      const given = Buffer.from(signature, 'base64url');
      return keys.some((key) => timingSafeEqual(sign(key, id), given)) ? id : undefined;
    },
    write: (ctx, id, maxAgeMs) =>
      set(
        ctx,
        `${id}.${sign(keys[0] ?? '', id).toString('base64url')}`,
        Math.floor(maxAgeMs / 1000),
      ),
    clear: (ctx) => set(ctx, '', 0),
  };
}

/** Sets a cookie that no script reads and no other site sends along, for some seconds; 0 removes it. */
export function cookieSetter(name: string, secure: boolean) {
  return (ctx: Context, value: string, maxAgeS: number) =>
    ctx.append(
      'Set-Cookie',
      `${name}=${value}; Path=/; Max-Age=${maxAgeS}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`,
    );
}

/** The value of a cookie that the request brings. */
export function cookieNamed(ctx: Context, name: string): string | undefined {
  return ctx
    .get('Cookie')
    .split(';')
    .map((pair) => pair.trim())
    .find((pair) => pair.startsWith(`${name}=`))
    ?.slice(name.length + 1);
}

function sign(key: string, id: string): Buffer {
  return createHmac('sha256', key).update(`mainsheet session ${id}`).digest();
}
