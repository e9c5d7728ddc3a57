import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notTheApi } from '../../src/github/api-address.ts';

test('who gives an address beside the API is told where it is', () => {
  const server = 'https://ghe.example:8443/api/v3';
  const hints: [string, RegExp][] = [
    ['https://ghe.example:8443', new RegExp(`on GitHub Enterprise Server ${server}$`)],
    ['https://ghe.example:8443/api', new RegExp(`on GitHub Enterprise Server ${server}$`)],
    [server, /names the right host$/],
    ['https://github.com', /^remove GITHUB_API_URL: /],
    ['https://api.github.com/api/v3', /^remove GITHUB_API_URL: /],
    ['https://notgithub.com', /Enterprise Server https:\/\/notgithub\.com\/api\/v3$/],
  ];
  for (const [url, hint] of hints) {
    const { message, hint: given } = notTheApi(url);
    assert.equal(message, `${url} is not GitHub's API`);
    assert.match(given ?? '', hint, url);
  }
});
