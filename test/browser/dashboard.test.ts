import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { logIn } from '../http/pages/browser.ts';
import { ADMIN_TOKEN } from '../support/admin.ts';
import { sampleRun } from '../store/samples.ts';
import { createWorld, SITE, type World } from '../support/world.ts';
import { startBrowser } from './browser.ts';
import { startShowcase } from './pages.ts';
import { withTab } from './tab.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** It waits for a file that the test makes, so that the test decides how far the run is. */
const SPEC = `
name: storefront
repository: ${SITE}
environment: production
on: { push: { branches: [main] } }
steps:
  - name: Build
    run: |
      for line in $(seq 1 40); do echo "line $line"; done
      if [ -e waits ]; then until [ -e /tmp/mainsheet-browser-$MAINSHEET_SHA ]; do sleep 0.05; done; rm /tmp/mainsheet-browser-$MAINSHEET_SHA; fi
      printf '\\033[32mbuilt\\033[0m\\n'
  - name: Deploy
    run: test ! -e broken
`;

const found = await startBrowser().then(
  (browser) => ({ browser }),
  (error: unknown) => ({ error }),
);
const skip =
  'browser' in found
    ? false
    : `NO BROWSER, NOTHING OF THE DASHBOARD IS TESTED: ${String(found.error)}`;

test('there is a browser', { skip: process.env['CI'] === 'true' ? false : skip }, () => {
  assert.equal(skip, false);
});

describe('the dashboard in a browser', { skip }, () => {
  const browser = (found as { browser: Browser }).browser;
  let world: World;
  before(async () => {
    world = await createWorld({
      specs: { 'storefront.yaml': SPEC },
      env: { MAINSHEET_PUBLIC_URL: '' },
    });
  });
  after(async () => {
    await world.close();
    await browser.close();
  });

  async function here() {
    const { url } = world.controller;
    return { url, cookie: (await logIn(url)).split('=')[1] ?? '' };
  }

  async function push(files: Record<string, string | null>, message: string) {
    const sha = await world.sample.commit({ files, message });
    await world.sample.push('main');
    return sha;
  }

  const letGo = async (sha: string) => {
    await writeFile(`/tmp/mainsheet-browser-${sha}`, '');
  };

  const seen = (page: Page, text: string) => page.getByText(text).first().waitFor();

  test('a push is seen from its beginning to its end without a reload, and its log is followed', async () => {
    const place = await here();
    await withTab(browser, place, async ({ page }) => {
      await page.goto(place.url);
      await page.evaluate('window.isTheSame = true');
      const sha = await push({ waits: '' }, 'Open the shop');
      await page.getByRole('heading', { name: 'Running now' }).waitFor();
      await seen(page, 'Open the shop');
      await page.locator('.card a').click();
      await page.waitForURL(/\/runs\//);
      await page.evaluate('window.isTheSame = true');
      await page.locator('#step-1').getByText('line 40').waitFor();
      await letGo(sha);
      await page.locator('#run-head').getByText('Succeeded', { exact: true }).waitFor();
      // Who follows was led to the next step, unless that was over before it was seen.
      await page.evaluate(`document.querySelector('#step-1 details').open = true`);
      await page.locator('#step-1 .f2').getByText('built').waitFor();
      assert.equal(await page.evaluate('window.isTheSame'), true);
    });
  });

  test('a failed run opens where it failed, and is deployed again after a question that names the environment', async () => {
    const sha = await push({ waits: null, broken: '' }, 'Break it');
    const { id } = await world.ended(sha);
    const place = await here();
    await withTab(browser, place, async ({ page }) => {
      await page.goto(`${place.url}/runs/${id}`);
      assert.equal(await page.locator('#step-2 details').getAttribute('open'), '');
      await page.getByRole('link', { name: 'Retry' }).click();
      await page
        .getByRole('dialog')
        .getByRole('button', { name: /production/ })
        .click();
      await page.waitForURL((url) => !url.href.includes(id));
      await page.locator('#run-head').getByText('Failed', { exact: true }).waitFor();
      assert.equal((await world.runs(`&sha=${sha}`)).length, 2);
    });
  });

  test('the page of settings says on demand what doctor says', async () => {
    const place = await here();
    await withTab(browser, place, async ({ page }) => {
      await page.goto(place.url);
      await page.getByText('More', { exact: true }).click();
      await page.getByRole('link', { name: 'Settings' }).click();
      await page.getByRole('button', { name: 'Check now' }).click();
      await seen(page, "server's store");
      assert.equal(await page.getByText('It took too long').count(), 0);
      assert.doesNotMatch(await page.content(), new RegExp(ADMIN_TOKEN));
    });
  });

  test('a page that was open while the server was started again shows what happened meanwhile', async () => {
    const place = await here();
    const port = new URL(place.url).port;
    await withTab(browser, place, async ({ page, complaints }) => {
      await page.goto(place.url);
      await page.waitForSelector('html[data-connected=yes]');
      await world.controller.stop();
      await page.waitForSelector('html[data-connected=no]');
      await world.controller.restart({ PORT: port });
      world.hear();
      const sha = await push({ broken: null }, 'Mend it');
      await world.ended(sha);
      await seen(page, 'Mend it');
      // That the server was away is what the console says.
      complaints.splice(0);
    });
  });

  for (const kind of ['full', 'empty'] as const) {
    for (const colorScheme of ['light', 'dark'] as const) {
      test(`each page can be used by everybody: ${kind}, ${colorScheme}`, async (t) => {
        const { url, cookie, paths } = await startShowcase(t, kind);
        await withTab(browser, { url, cookie, colorScheme }, async ({ page, complaints }) => {
          for (const [name, path] of Object.entries(paths)) {
            await page.goto(url + path);
            // Not as an element of the page, whose policy would refuse it.
            await page.evaluate(AXE);
            const violations = await page.evaluate(
              `axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map((node) => id + ': ' + node.html.slice(0, 200) + ' ' + node.failureSummary)))`,
            );
            assert.deepEqual(violations, [], name);
            const width = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
            assert.equal(width, 0, `${name} is too wide`);
          }
          complaints.splice(
            0,
            complaints.length,
            ...complaints.filter((text) => !/404/.test(text)),
          );
        });
      });
    }
  }

  test('a log of 100,000 lines stays small in the page, and a link leads to any of them', async (t) => {
    const { url, cookie, store } = await startShowcase(t, 'empty');
    await store.runs.insert(sampleRun('r1', { state: 'failed', startedAt: 1, finishedAt: 2 }), [
      'Long',
    ]);
    for (let part = 0; part < 100; part += 1) {
      const lines = Array.from({ length: 1000 }, (_, line) => `line ${part * 1000 + line + 1}\n`);
      await store.logs.append('r1', [
        { seq: part, at: 1, step: 0, stream: 'stdout', text: lines.join('') },
      ]);
    }
    await store.steps.update('r1', {
      index: 0,
      name: 'Long',
      state: 'failed',
      attempts: 1,
      exitCode: 1,
      reason: '',
      startedAt: 1,
      finishedAt: 2,
    });
    await withTab(
      browser,
      { url, cookie, viewport: { width: 1280, height: 800 } },
      async ({ page }) => {
        await page.goto(`${url}/runs/r1`);
        await page.getByText('line 100000', { exact: true }).waitFor();
        const rows = () => page.locator('.l').count();
        assert.ok((await rows()) <= 1000, `${await rows()} rows`);
        await page.goto(`${url}/runs/r1#1.50123`);
        const line = page.locator('[id="1.50123"]');
        await line.waitFor();
        assert.equal(await line.locator('span').last().textContent(), 'line 50123');
        await page.waitForFunction('document.querySelectorAll(".l").length <= 3000');
        assert.ok(await line.evaluate((element) => element.className.includes('is-linked')));
        const { y } = (await line.boundingBox()) ?? { y: -1 };
        assert.ok(y > 0 && y < 800, `at ${y}`);
      },
    );
  });
});
