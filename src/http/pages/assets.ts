import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { Middleware } from 'koa';

/** What a page loads beside itself. Everything is on this server: no other one is asked. */
const FILES = {
  'app.css': [
    'tokens.css',
    'base.css',
    'components.css',
    'overview.css',
    'run.css',
    'lists.css',
    'insights.css',
    'automation.css',
    'asks.css',
    'setup.css',
  ],
  'app.js': ['app.js'],
  'log.js': ['log.js'],
  'icons.svg': ['icons.svg'],
  'favicon.svg': ['favicon.svg'],
  'htmx.js': ['htmx.org/dist/htmx.min.js'],
} as const;

export type AssetName = keyof typeof FILES;

const TYPES: Record<string, string> = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

const SHRINK = {
  br: (plain: Buffer) =>
    brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }),
  gzip: (plain: Buffer) => gzipSync(plain),
};

interface Asset {
  type: string;
  plain: Buffer;
  /** Made when it is first asked for. */
  small: { br?: Buffer; gzip?: Buffer };
}

/** The files of the dashboard, in memory, each under a name that changes with what is in it. */
export interface Assets {
  /** Below the dashboard: `assets/app.0123abcd.css`. */
  path(name: AssetName): string;
  /** Serves them; they may be kept for ever. */
  serve: Middleware;
}

export function createAssets(): Assets {
  const byPath = new Map<string, Asset>();
  const paths = {} as Record<AssetName, string>;
  for (const name of Object.keys(FILES) as AssetName[]) {
    const plain = Buffer.concat(FILES[name].map(read));
    const hash = createHash('sha256').update(plain).digest('hex').slice(0, 12);
    const [stem = '', extension = ''] = name.split('.');
    paths[name] = `assets/${stem}.${hash}.${extension}`;
    byPath.set(`/${paths[name]}`, {
      type: TYPES[extension] ?? '',
      plain,
      small: {},
    });
  }

  return {
    path: (name) => paths[name],
    async serve(ctx, next) {
      const asset = byPath.get(ctx.path);
      if (asset === undefined || !['GET', 'HEAD'].includes(ctx.method)) return await next();
      ctx.set('Cache-Control', 'public, max-age=31536000, immutable');
      ctx.set('X-Content-Type-Options', 'nosniff');
      ctx.vary('Accept-Encoding');
      const encoding = ctx.acceptsEncodings('br', 'gzip', 'identity');
      if (encoding === 'br' || encoding === 'gzip') {
        ctx.set('Content-Encoding', encoding);
        ctx.body = asset.small[encoding] ??= SHRINK[encoding](asset.plain);
      } else {
        ctx.body = asset.plain;
      }
      ctx.type = asset.type;
    },
  };
}

function read(file: string): Buffer {
  return file.startsWith('htmx.org/')
    ? readFileSync(createRequire(import.meta.url).resolve(file))
    : readAsset(file);
}

/** One of the dashboard's own files, as it is. */
export function readAsset(file: string): Buffer {
  return readFileSync(new URL(`assets/${file}`, import.meta.url));
}
