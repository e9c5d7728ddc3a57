import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { startBrowser } from './browser.ts';
import { reach, startShowcase } from './pages.ts';

/** `npm run screenshots [directory] [page…]`: pictures of each page, wide and narrow, light and dark, full and empty. */
const [directory, ...wanted] = process.argv.slice(2);
const target = directory ?? (await mkdtemp(join(tmpdir(), 'mainsheet-screenshots-')));
await mkdir(target, { recursive: true });

/** What stays in sight while one scrolls would lie over the middle of a picture of the whole page. */
const UNSTUCK = '.top, .step > summary { position: static !important }';

const cleanups: (() => unknown)[] = [];
const context = { after: (clean: () => unknown) => cleanups.push(clean) } as never;
const browser = await startBrowser();
try {
  for (const kind of ['full', 'empty'] as const) {
    const { url, paths, cookie } = await startShowcase(context, kind);
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const width of [1280, 390]) {
        const deviceScaleFactor = width === 390 ? 2 : 1;
        const viewport = { width, height: 800 };
        const tab = await browser.newContext({
          colorScheme,
          viewport,
          deviceScaleFactor,
          bypassCSP: true,
        });
        await tab.addCookies([{ name: 'mainsheet', value: cookie, url }]);
        const page = await tab.newPage();
        for (const [name, path] of Object.entries(paths)) {
          if (wanted.length > 0 && !wanted.includes(name)) continue;
          await reach(page, url + path, name);
          await settle(page);
          const file = `${name}-${kind}-${width}-${colorScheme}.png`;
          await page.screenshot({ path: join(target, file), fullPage: true, style: UNSTUCK });
        }
        await tab.close();
      }
    }
  }
} finally {
  await browser.close();
  for (const clean of cleanups.toReversed()) await clean();
}
process.stdout.write(`${target}\n`);

/** Pages are live, so nothing says that they are done: two frames are enough for what is there. */
async function settle(page: Page): Promise<void> {
  await page.evaluate(
    'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))',
  );
}
