import assert from 'node:assert/strict';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';

/** A page in a browser of its own. `complaints`: what the consoles of its context said of errors and where, and what the policy of the page refused. */
export interface Tab {
  page: Page;
  complaints: string[];
  close(): Promise<void>;
}

/** Opens a tab that is logged in. Fails at the end of `use` when it, or another page of its context, has complained of anything. */
export async function withTab(
  browser: Browser,
  options: { url: string; cookie: string } & BrowserContextOptions,
  use: (tab: Tab) => Promise<void>,
): Promise<void> {
  const { url, cookie, ...rest } = options;
  const context = await browser.newContext(rest);
  await context.addCookies([{ name: 'mainsheet', value: cookie, url }]);
  const complaints: string[] = [];
  context.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning')
      complaints.push(`${message.text()} (${message.location().url})`);
  });
  context.on('weberror', (error) => complaints.push(String(error.error())));
  const page = await context.newPage();
  try {
    await use({ page, complaints, close: () => context.close() });
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}
