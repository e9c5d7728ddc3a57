import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser } from 'playwright-core';

/** Debian's and Alpine's, where the one of npm does not start. */
const INSTALLED = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Starts a real browser: the machine's, or the one that comes with the npm package. Throws with what to do. */
export async function startBrowser(): Promise<Browser> {
  const executablePath = INSTALLED.find((path) => existsSync(path)) ?? (await unpacked());
  return await chromium.launch({
    executablePath,
    // Everything that it opens is on this machine, and in containers there is no sandbox to be had.
    args: [
      '--no-sandbox',
      '--disable-dev-shm-usage',
      '--disable-gpu',
      '--force-color-profile=srgb',
    ],
  });
}

const CACHE = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url));

async function unpacked(): Promise<string> {
  if (platform() !== 'linux') {
    throw new Error(`no Chromium for ${platform()} ${arch()}: install Chrome or Chromium`);
  }
  const entry = createRequire(import.meta.url).resolve('@sparticuz/chromium');
  const manifest = readFileSync(join(dirname(entry), '../package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  const place = join(CACHE, `mainsheet-chromium-${version}`);
  if (!existsSync(place)) await unpackTo(place);
  return join(place, 'chromium');
}

/** It has its name when it is whole: another test may be at it, too, and a program that is being written cannot be started. */
async function unpackTo(place: string): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const own = await mkdtemp(`${place}-`);
  const usual = process.env['TMPDIR'];
  // Where the package puts it.
  process.env['TMPDIR'] = own;
  try {
    const { default: packed } = await import('@sparticuz/chromium');
    await packed.executablePath();
    await rename(own, place);
  } catch (error) {
    await rm(own, { recursive: true, force: true });
    if (!existsSync(place)) throw error;
  } finally {
    if (usual === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = usual;
  }
}
