import { existsSync } from 'node:fs';
import { arch, platform } from 'node:os';
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

async function unpacked(): Promise<string> {
  if (platform() !== 'linux') {
    throw new Error(`no Chromium for ${platform()} ${arch()}: install Chrome or Chromium`);
  }
  const { default: packed } = await import('@sparticuz/chromium');
  return await packed.executablePath();
}
