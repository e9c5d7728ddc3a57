import { test } from 'node:test';
import assert from 'node:assert/strict';
import { parseSpecs } from '../../src/spec/load.ts';
import { NOW, startHttp } from '../http/fixture.ts';
import { logIn } from '../http/pages/browser.ts';
import { startBrowser } from './browser.ts';
import { withTab } from './tab.ts';

const SPEC = `name: storefront
repository: acme/storefront
on: { push: { branches: [main] } }
steps: [{ run: make }]
`;
const STATUS = `document.querySelector('.form-progress')`;

test('the page of a backtest says how far it has come while its answer is awaited', async (t) => {
  const { promise: toldOf, resolve: goOn } = Promise.withResolvers<void>();
  const { url, specs } = await startHttp(t, {
    backtest: async (_specs, _since, _signal, more) => {
      more?.progress?.({ deliveries: 1200, from: NOW - 1000, at: NOW - 500 });
      await toldOf;
      return { deliveries: 2400, deployed: 0, wouldDeploy: 0, differences: [], total: 0 };
    },
  });
  specs.specs = parseSpecs('shop.yaml', SPEC).specs;
  const cookie = (await logIn(url)).split('=')[1] ?? '';
  const browser = await startBrowser();
  t.after(() => browser.close());
  await withTab(browser, { url, cookie }, async ({ page }) => {
    await page.goto(`${url}/specs/storefront/backtest`);
    // While a page is about to be left nothing can be asked of it, but it can tell.
    await page.evaluate(
      `new MutationObserver(() => console.log(${STATUS}.textContent)).observe(${STATUS}, { childList: true })`,
    );
    const told = page.waitForEvent('console');
    await page.getByRole('button', { name: 'Compare' }).click({ noWaitAfter: true });
    assert.equal((await told).text(), '1,200 deliveries so far, 50 %');
    goOn();
    await page.getByText('No difference', { exact: true }).waitFor();
  });
});
