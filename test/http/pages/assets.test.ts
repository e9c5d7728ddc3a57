import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHttp } from '../fixture.ts';
import { logIn } from './browser.ts';

const FIRST_LOAD = 60 * 1024;

/** What the overview's page loads, and the page itself. */
async function load(url: string) {
  const headers = { Cookie: await logIn(url), 'Accept-Encoding': 'br' };
  const page = await fetch(url, { headers });
  const text = await page.text();
  const paths = [...text.matchAll(/(?:href|src)="(\.\/assets\/[^"#]+)/g)].map(([, path]) => path);
  return {
    headers: page.headers,
    text,
    paths: [...new Set(paths)].map((path) => `${url}/${path}`),
  };
}

test('a page loads less than 60 KB, all of it from this server', async (t) => {
  const { url } = await startHttp(t);
  const { text, paths } = await load(url);
  assert.doesNotMatch(text, /(?:src|href)="(?:https?:)?\/\//);
  assert.ok(paths.length >= 4);
  let bytes = 0;
  for (const path of paths) {
    const answer = await fetch(path, { headers: { 'Accept-Encoding': 'br' } });
    assert.equal(answer.status, 200, path);
    assert.equal(answer.headers.get('Content-Encoding'), 'br');
    bytes += Number(answer.headers.get('Content-Length'));
  }
  assert.ok(bytes > 10_000 && bytes < FIRST_LOAD, `${bytes} bytes`);
});

test('a file may be kept for ever, for its name changes with what is in it', async (t) => {
  const { url } = await startHttp(t);
  const [path = ''] = (await load(url)).paths;
  const answer = await fetch(path);
  assert.equal(answer.headers.get('Cache-Control'), 'public, max-age=31536000, immutable');
  assert.equal((await fetch(path.replace(/\.[0-9a-f]{12}\./, '.000000000000.'))).status, 404);
});

test('a file is the same however small it is sent', async (t) => {
  const { url } = await startHttp(t);
  const css = (await load(url)).paths.find((one) => one.endsWith('.css')) ?? '';
  const as = async (encoding: string) => {
    const answer = await fetch(css, { headers: { 'Accept-Encoding': encoding } });
    return [answer.headers.get('Content-Encoding'), await answer.text()];
  };
  const [, plain] = await as('identity');
  assert.deepEqual(await as('br'), ['br', plain]);
  assert.deepEqual(await as('gzip'), ['gzip', plain]);
});

test('no page runs or shows what this server did not send, or lets itself be framed', async (t) => {
  const { url } = await startHttp(t);
  const { headers, text } = await load(url);
  const policy = headers.get('Content-Security-Policy') ?? '';
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe|data:|\*|https?:/);
  assert.equal(headers.get('Referrer-Policy'), 'same-origin');
  assert.equal(headers.get('Cache-Control'), 'no-store');
  assert.doesNotMatch(text, / style=| on\w+="|<script>|<style/);
});
