import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer, request as ask } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import { after, before, describe, test, type TestContext } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { parseSpecs } from '../../src/spec/load.ts';
import { NOW, startHttp } from '../http/fixture.ts';
import { logIn } from '../http/pages/browser.ts';
import { ADMIN_TOKEN } from '../support/admin.ts';
import { sampleRun } from '../store/samples.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';
import { startBrowser } from './browser.ts';
import { reach, startShowcase } from './pages.ts';
import { withTab } from './tab.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** In each round that the commit's file `waits` names it waits for a file of the test, which so decides how far the run is. */
const SPECS = `
name: storefront
repository: ${SITE}
environment: production
on: { push: { branches: [main] } }
steps:
  - name: Build
    run: |
      seq -f "line %g" 40
      for round in $(cat waits 2>/dev/null); do
        until [ -e /tmp/mainsheet-browser-$MAINSHEET_SHA-$round ]; do sleep 0.05; done
        rm /tmp/mainsheet-browser-$MAINSHEET_SHA-$round
        seq -f "round $round, line %g" 40
      done
      printf '\\033[32mbuilt\\033[0m\\n'
  - name: Deploy
    run: test ! -e broken
---
name: checkout-service
repository: ${SITE}
environment: staging
on: { push: { branches: [gated] } }
gates: [{ approve: { count: 1 } }]
steps: [{ run: echo deployed }]
`;

/** As a page that is not looked at, or is again: nothing hides a page without a window. */
const sleepOrWake = (page: Page, hidden: boolean) =>
  page.evaluate(`Object.defineProperty(document, 'hidden', { configurable: true, value: ${hidden} });
    document.dispatchEvent(new Event('visibilitychange'))`);

/** Opens the first step, as who follows is led to the next, and waits for its end. */
async function logOfBuild(page: Page): Promise<void> {
  await page.evaluate(`document.querySelector('#step-1 details').open = true`);
  await page.locator('#step-1 .f2').getByText('built').waitFor();
}

/** The log of the first step as the server has it now. */
const FRESH = `fetch(document.querySelector('#steps').dataset.run + '/log/1', { headers: { 'HX-Request': 'true' } })
  .then((answer) => answer.text()).then((text) => new DOMParser().parseFromString(text, 'text/html'))`;

const linesIn = (page: Page, root: string) =>
  page.evaluate(
    `Promise.resolve(${root}).then((root) => [...root.querySelectorAll('.l')].map((row) => row.id + ' ' + row.lastElementChild.textContent))`,
  );

/** In the dark nothing differs but colours. */
const SCHEMES = [
  ['light', ''],
  ['dark', ", { runOnly: ['color-contrast', 'link-in-text-block'] }"],
] as const;

/** What axe has against a part of a page that has it loaded, in the light and in the dark. */
async function violations(page: Page, part: string): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const [colorScheme, rules] of SCHEMES) {
    await page.emulateMedia({ colorScheme });
    const all = await page.evaluate(
      `axe.run(${part}${rules}).then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map((node) => '${colorScheme} ' + id + ': ' + node.html.slice(0, 200) + ' ' + node.failureSummary)))`,
    );
    found.push(...(all as unknown[]));
  }
  return found;
}

/** What has no name where it is narrow, for all its words are hidden there. */
const nameless = (page: Page) =>
  page.evaluate(
    `axe.run({ runOnly: ['link-name', 'button-name'] }).then(({ violations }) => violations.flatMap(({ nodes }) => nodes.map((node) => node.html)))`,
  );

/** What the dashboard asks before it is done. */
const QUESTIONS = [
  'approve',
  'cancel',
  'deploy',
  'pause',
  'reject',
  'replay',
  'resend',
  'resume',
  'retry',
  'rollback',
];

/** Opens each question of a page that is not yet in `seen`, and lets it be. */
async function lookAtQuestions(page: Page, seen: Set<string>): Promise<void> {
  for (const link of await page.locator('a[data-dialog]').all()) {
    const question = (await link.getAttribute('href'))?.split('/').at(-1) ?? '';
    if (seen.has(question)) continue;
    seen.add(question);
    await link.click();
    await page.getByRole('dialog').getByRole('button').waitFor();
    assert.deepEqual(await violations(page, "'#dialog'"), [], question);
    await page.keyboard.press('Escape');
  }
}

/** Pages that have a question which no other page has, or are one. */
const questionPages = (paths: Record<string, string>) => ({
  'run-live': paths['rollback']?.replace('/rollback', '') ?? '',
  override: `${paths['run-plan']}/override`,
});

/** A proxy before the dashboard, which may come to be elsewhere, and below a path. */
async function startBefore(t: TestContext, place: () => string, below = ''): Promise<string> {
  const proxy = createServer((request, response) => {
    const { method, headers, url: path = '' } = request;
    const target = place() + path.slice(below.length);
    const asked = request.pipe(
      ask(target, { method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        // What is cut off there is cut off here.
        pipeline(answer, response, () => undefined);
      }),
    );
    asked.on('error', () => response.destroy());
    response.on('close', () => asked.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  t.after(() => proxy.close().closeAllConnections());
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${below}`;
}

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
      specs: { 'shop.yaml': SPECS },
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

  async function push(files: Record<string, string | null>, message: string, branch = 'main') {
    const sha = await world.sample.commit({ files, message, branch });
    await world.sample.push(branch);
    return sha;
  }

  const letGo = (sha: string, round: number) =>
    writeFile(`/tmp/mainsheet-browser-${sha}-${round}`, '');

  /** The run of a commit, as soon as there is one. */
  const begun = (sha: string) =>
    until('a run', async () => (await world.runs(`&sha=${sha}`))[0]?.id);

  const seen = (page: Page, text: string) => page.getByText(text).first().waitFor();

  test('a push is seen from its beginning to its end without a reload, and its log is followed', async () => {
    const place = await here();
    await withTab(browser, place, async ({ page }) => {
      await page.goto(place.url);
      await page.evaluate('window.isTheSame = true');
      const sha = await push({ waits: '1' }, 'Open the shop');
      await page.getByRole('heading', { name: 'Running now' }).waitFor();
      await seen(page, 'Open the shop');
      // The next one has to wait for it, and is looked at in a tab of its own from then on.
      const next = await push({ waits: null }, 'Sweep the floor');
      const tab = await page.context().newPage();
      await tab.goto(`${place.url}/runs/${await begun(next)}`);
      await tab.evaluate('window.isTheSame = true');
      await tab.locator('#run-head').getByText('Queued', { exact: true }).waitFor();
      await page.locator('.card a').click();
      await page.waitForURL(/\/runs\//);
      await page.evaluate('window.isTheSame = true');
      await page.locator('#step-1').getByText('line 40').waitFor();
      await letGo(sha, 1);
      await page.locator('#run-head').getByText('Succeeded', { exact: true }).waitFor();
      await logOfBuild(page);
      await tab.locator('#run-head').getByText('Succeeded', { exact: true }).waitFor();
      // Its log, which began after the page was opened, is whole.
      await logOfBuild(tab);
      for (const one of [page, tab]) assert.equal(await one.evaluate('window.isTheSame'), true);
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

  test('without scripts a push and its log are read, and it is deployed again', async () => {
    const sha = await push({ waits: null, broken: '' }, 'Break it again');
    const { id } = await world.ended(sha);
    const place = { ...(await here()), javaScriptEnabled: false };
    await withTab(browser, place, async ({ page }) => {
      await page.goto(place.url);
      const storefront = page.locator('.places').getByRole('link', { name: 'storefront' });
      await storefront.waitFor();
      await page.getByRole('searchbox', { name: 'Find' }).fill('no such spec');
      await page.getByRole('button', { name: 'Show' }).click();
      await storefront.waitFor({ state: 'detached' });
      await page.goto(`${place.url}/runs/${id}`);
      await seen(page, 'Break it again');
      await seen(page, 'Failed');
      await page.locator('#step-1 summary').click();
      await page.locator('#step-1').getByRole('link').first().click();
      await seen(page, 'built');
      await page.goBack();
      await page.getByRole('link', { name: 'Retry' }).click();
      await page.getByRole('button', { name: /production/ }).click();
      await page.waitForURL((url) => /\/runs\/[^/]+$/.test(url.href) && !url.href.includes(id));
      await seen(page, 'Break it again');
      assert.equal((await world.runs(`&sha=${sha}`)).length, 2);
    });
  });

  test('a log is followed, stays where one has scrolled up to, and is followed again', async () => {
    const sha = await push({ waits: '1 2 3 4', broken: null }, 'Paint the shop');
    const place = await here();
    const viewport = { width: 1280, height: 600 };
    await withTab(browser, { ...place, viewport }, async ({ page }) => {
      await page.goto(`${place.url}/runs/${await begun(sha)}`);
      const line = (text: string) => page.locator('#step-1').getByText(text, { exact: true });
      const inSight = async (text: string) => {
        const box = await line(text).boundingBox();
        return box !== null && box.y >= 0 && box.y + box.height <= viewport.height;
      };
      const comesIntoSight = (text: string) => until(text, () => inSight(text));
      const follow = page.getByRole('button', { name: 'Follow the log' });
      const top = () => page.evaluate('scrollY');

      await line('line 40').waitFor();
      await letGo(sha, 1);
      await comesIntoSight('round 1, line 40');
      assert.equal(await follow.isVisible(), false);

      await page.mouse.move(400, 300);
      await page.mouse.wheel(0, -500);
      await follow.waitFor();
      const before = await top();
      await letGo(sha, 2);
      await line('round 2, line 40').waitFor({ state: 'attached' });
      await page.evaluate('new Promise((done) => requestAnimationFrame(done))');
      assert.equal(await top(), before);
      assert.equal(await inSight('round 2, line 40'), false);

      await follow.click();
      await comesIntoSight('round 2, line 40');
      assert.equal(await follow.isVisible(), false);
      await letGo(sha, 3);
      await comesIntoSight('round 3, line 40');
      await letGo(sha, 4);
      await page.locator('#run-head').getByText('Succeeded', { exact: true }).waitFor();
    });
  });

  test('the filter of the overview is in its address and holds while the page is live; a gate is approved', async () => {
    const place = await here();
    await withTab(browser, place, async ({ page }) => {
      await page.goto(place.url);
      const storefront = page.locator('.places').getByRole('link', { name: 'storefront' });
      await storefront.waitFor();
      await page.getByRole('searchbox', { name: 'Find' }).fill('checkout');
      await storefront.waitFor({ state: 'detached' });
      assert.match(page.url(), /\?q=checkout/);
      // What is written in is not taken away by what is live.
      await page.getByRole('searchbox', { name: 'Find' }).blur();
      const sha = await push({ waits: null }, 'Take cards', 'gated');
      await page.locator('.places').getByText('Waiting for 1 approval').waitFor();
      assert.equal(await storefront.count(), 0);

      await page.goto(`${place.url}/runs/${await begun(sha)}`);
      await page.getByRole('link', { name: 'Approve' }).click();
      await page.getByRole('dialog').getByLabel('Why').fill('looks <b>good</b>');
      await page.getByRole('dialog').getByRole('button', { name: 'Approve for staging' }).click();
      await page.locator('#run-head').getByText('Succeeded', { exact: true }).waitFor();
      await seen(page, 'looks <b>good</b>');
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

  test('pages that were open or slept while the server was started again show what happened meanwhile, and a log is whole', async (t) => {
    // Its port may be another one's before it is there again.
    const url = await startBefore(t, () => world.controller.url);
    const place = { ...(await here()), url };
    const sha = await push({ waits: '1 2', broken: null }, 'Mend it');
    const id = await begun(sha);
    await withTab(browser, place, async ({ page, complaints }) => {
      const context = page.context();
      const [slept, run] = [await context.newPage(), await context.newPage()];
      await Promise.all([
        page.goto(place.url),
        slept.goto(place.url),
        run.goto(`${place.url}/runs/${id}`),
      ]);
      for (const one of [page, slept, run]) await one.waitForSelector('html[data-connected=yes]');
      await sleepOrWake(slept, true);
      await letGo(sha, 1);
      await run.locator('#step-1').getByText('round 1, line 40').waitFor();
      await world.controller.kill();
      for (const one of [page, run]) await one.waitForSelector('html[data-connected=no]');
      await world.controller.restart();
      world.hear();
      // What was under way begins once more.
      for (const round of [1, 2]) await letGo(sha, round);
      await world.ended(sha);
      const deployed = (one: Page) => one.locator('.places').getByText('Mend it');
      await deployed(page).waitFor();
      assert.equal(await deployed(slept).count(), 0);
      await sleepOrWake(slept, false);
      await deployed(slept).waitFor();
      await run.locator('#run-head').getByText('Succeeded', { exact: true }).waitFor();
      await logOfBuild(run);
      assert.deepEqual(
        await linesIn(run, `document.querySelector('#step-1')`),
        await linesIn(run, FRESH),
      );
      // That the server was away is what the console says.
      complaints.splice(0);
    });
  });

  for (const kind of ['full', 'empty'] as const) {
    test(`each page can be used by all, in the light and in the dark: ${kind}`, async (t) => {
      const { url, cookie, paths, store, specs } = await startShowcase(t, kind);
      if (kind === 'full') {
        // As long as they may be, and without a place to break.
        const reason = 'x'.repeat(200);
        await store.pauses.add({ kind: 'spec', name: 'docs', since: 1, by: 'ines-r', reason });
        const named = specs.specs.find(({ spec }) => spec.name === 'storefront-production');
        Object.assign(named?.spec ?? {}, { environment: 'y'.repeat(255) });
      }
      const questions = new Set<string>();
      await withTab(browser, { url, cookie }, async ({ page, complaints }) => {
        const more = kind === 'full' ? questionPages(paths) : {};
        for (const [name, path] of Object.entries({ ...paths, ...more })) {
          await reach(page, url + path, name);
          // Not as an element of the page, whose policy would refuse it.
          await page.evaluate(AXE);
          assert.deepEqual(await violations(page, 'document'), [], name);
          for (const width of [360, 1280]) {
            await page.setViewportSize({ width, height: 720 });
            const over = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
            assert.equal(over, 0, `${name} is too wide for ${width} px`);
            if (width === 360) assert.deepEqual(await nameless(page), [], `${name} at ${width} px`);
          }
          await lookAtQuestions(page, questions);
        }
        assert.deepEqual([...questions].sort(), kind === 'full' ? QUESTIONS : []);
        const isMissing = (text: string) =>
          text.includes('404') && text.endsWith(`(${url}${paths['missing']})`);
        complaints.splice(0, complaints.length, ...complaints.filter((text) => !isMissing(text)));
      });
    });
  }

  test('the keyboard alone leads to the content, the menu, the search, and through a question', async (t) => {
    const { url, cookie, store, asked } = await startShowcase(t, 'empty');
    await store.runs.insert(sampleRun('r1', { state: 'failed', startedAt: 1, finishedAt: 2 }), []);
    await withTab(browser, { url, cookie }, async ({ page }) => {
      const press = (...keys: string[]) =>
        keys.reduce(
          (before, key) => before.then(() => page.keyboard.press(key)),
          Promise.resolve(),
        );
      const focused = () =>
        page.evaluate(
          'document.activeElement.ariaLabel || document.activeElement.textContent.trim()',
        );
      /** Goes on with Tab until it is there. */
      const tabTo = async (name: string) => {
        for (let step = 0; (await focused()) !== name; step += 1) {
          assert.ok(step < 30, `Tab does not reach ${name}`);
          await press('Tab');
        }
      };
      await page.goto(`${url}/runs/r1`);
      await press('Tab');
      assert.equal(await focused(), 'Skip to content');
      await tabTo('More');
      await press('Enter');
      await page.getByRole('link', { name: 'Callbacks' }).waitFor();
      await press('Escape');
      await page.getByRole('link', { name: 'Callbacks' }).waitFor({ state: 'hidden' });
      assert.equal(await focused(), 'More');
      await press('/');
      assert.equal(await focused(), 'Search the log');

      await page.goto(`${url}/runs/r1`);
      const dialog = page.getByRole('dialog', { name: 'Deploy again to production?' });
      await tabTo('Retry');
      await press('Enter');
      await dialog.waitFor();
      await press('Escape');
      await dialog.waitFor({ state: 'hidden' });
      assert.equal(await focused(), 'Retry');
      await press('Enter');
      await dialog.waitFor();
      await tabTo('Deploy again to production');
      assert.deepEqual(asked, []);
      await Promise.all([page.waitForEvent('load'), press('Enter')]);
      assert.deepEqual(asked, ['retry r1 as admin']);
    });
  });

  test('the log of a run that waited when its page was opened is there as soon as it begins', async (t) => {
    const { url, cookie, store, news } = await startShowcase(t, 'empty');
    const run = await store.runs.insert(sampleRun('r1'), ['Build']);
    assert.ok(run);
    await withTab(browser, { url, cookie }, async ({ page }) => {
      await page.goto(`${url}/runs/r1`);
      await page.waitForSelector('html[data-connected=yes]');
      // What happens while a question is open shows when it is closed.
      await page.getByRole('link', { name: 'Cancel' }).click();
      await page.getByRole('dialog').getByRole('button').first().waitFor();
      await page.evaluate(
        `new Promise((open) => { const url = new URL(document.querySelector('[data-stream]').dataset.stream, location.href); window.second = new EventSource(url); second.onopen = open; })`,
      );
      const heard = page.evaluate(
        `new Promise((heard) => second.addEventListener('changed', heard)).then(() => second.close())`,
      );
      const line = { seq: 0, at: 1, step: 0, stream: 'stdout', text: 'the only line\n' } as const;
      await store.logs.append('r1', [line]);
      const step = { index: 0, name: 'Build', attempts: 1, exitCode: undefined, reason: '' };
      await store.steps.update('r1', {
        ...step,
        state: 'running',
        startedAt: 1,
        finishedAt: undefined,
      });
      await store.runs.update({ ...run, state: 'running', startedAt: 1 }, { state: 'queued' });
      news.publish({ kind: 'run', run: 'r1', state: 'running', spec: 'storefront' });
      await heard;
      assert.equal(await page.locator('#step-1').getByText('the only line').count(), 0);
      await page.keyboard.press('Escape');
      await page.locator('#step-1').getByText('the only line').waitFor();
    });
  });

  test('a log of 100,000 lines stays small in the page, and a link leads to any of them, whatever path is before the dashboard', async (t) => {
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
    const below = await startBefore(t, () => url, '/ship');
    await withTab(
      browser,
      { url: below, cookie, viewport: { width: 1280, height: 800 } },
      async ({ page }) => {
        await page.goto(`${below}/runs/r1`);
        await page.getByText('line 100000', { exact: true }).waitFor();
        const rows = () => page.locator('.l').count();
        assert.ok((await rows()) <= 1000, `${await rows()} rows`);
        await page.getByRole('searchbox', { name: 'Search the log' }).fill('line 50123');
        const hit = page.getByRole('region', { name: 'Found' }).getByRole('link');
        await hit.click();
        assert.equal(page.url(), `${below}/runs/r1#1.50123`);
        const line = page.locator('[id="1.50123"]');
        await line.waitFor();
        await page.evaluate('scrollTo(0, 0)');
        await line.waitFor({ state: 'detached' });
        await hit.click();
        await line.waitFor();
        assert.equal(await line.locator('span').last().textContent(), 'line 50123');
        await page.waitForFunction('document.querySelectorAll(".l").length <= 3000');
        assert.ok(await line.evaluate((element) => element.className.includes('is-linked')));
        const { y } = (await line.boundingBox()) ?? { y: -1 };
        assert.ok(y > 0 && y < 800, `at ${y}`);
        await page.getByRole('link', { name: 'Retry' }).click();
        const form = page.getByRole('dialog').locator('form');
        assert.equal(
          await form.evaluate(({ action }: { action: string }) => action),
          `${below}/runs/r1/retry`,
        );
      },
    );
  });

  test('the page of a backtest says how far it has come while its answer is awaited', async (t) => {
    const { promise: toldOf, resolve: goOn } = Promise.withResolvers<void>();
    const { url, specs } = await startHttp(t, {
      backtest: async (_specs, _since, _signal, more) => {
        more?.progress?.({ deliveries: 1200, from: NOW - 1000, at: NOW - 500 });
        await toldOf;
        return { deliveries: 2400, deployed: 0, wouldDeploy: 0, differences: [], total: 0 };
      },
    });
    specs.specs = parseSpecs('shop.yaml', SPECS).specs;
    const cookie = (await logIn(url)).split('=')[1] ?? '';
    await withTab(browser, { url, cookie }, async ({ page }) => {
      await page.goto(`${url}/specs/storefront/backtest`);
      // While a page is about to be left nothing can be asked of it, but it can tell.
      await page.evaluate(
        `(status => new MutationObserver(() => console.log(status.textContent)).observe(status, { childList: true }))(document.querySelector('.form-progress'))`,
      );
      const told = page.waitForEvent('console');
      await page.getByRole('button', { name: 'Compare' }).click({ noWaitAfter: true });
      assert.equal((await told).text(), '1,200 deliveries so far, 50 %');
      goOn();
      await page.getByText('No difference', { exact: true }).waitFor();
    });
  });
});
