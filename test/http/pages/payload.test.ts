import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAssets } from '../../../src/http/pages/assets.ts';
import { html } from '../../../src/http/pages/html.ts';
import type { Frame } from '../../../src/http/pages/layout.ts';
import { payloadView } from '../../../src/http/pages/payload.ts';

const shown = (payload: string) => {
  const frame = { root: './', assets: createAssets() } as Frame;
  return /<pre[^>]*>(.*)<\/pre>/s.exec(html`${payloadView(frame, payload)}`.text)?.[1];
};

test('a payload is laid out, and one in which much lies deep is shown as it came', () => {
  assert.equal(shown('{"a":[1]}'), '{\n  &quot;a&quot;: [\n    1\n  ]\n}');
  const deep = (levels: number) => '['.repeat(levels) + '1,1' + ']'.repeat(levels);
  assert.match(shown(deep(100)) ?? '', /\n {200}1,\n {200}1\n/);
  assert.equal(shown(deep(101)), deep(101));
});
