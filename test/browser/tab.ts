import assert from 'node:assert/strict';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';

/** A page in a browser of its own. `complaints`: what its console said of errors and where, and what the policy of the page refused. */
export interface Tab {
  page: Page;
  complaints: string[];
  close(): Promise<void>;
}

/** Opens a tab that is logged in. Fails at the end of `use` when the page has complained of anything. */
export async function withTab(
  browser: Browser,
  options: { url: string; cookie: string } & BrowserContextOptions,
  use: (tab: Tab) => Promise<void>,
): Promise<void> {
  const { url, cookie, ...rest } = options;
  const context = await browser.newContext(rest);
  await context.addCookies([{ name: 'mainsheet', value: cookie, url }]);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning')
      complaints.push(`${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  try {
    await use({ page, complaints, close: () => context.close() });
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}
