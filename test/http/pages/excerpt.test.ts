import assert from 'node:assert/strict';
import { test } from 'node:test';
import { excerpt } from '../../../src/http/pages/components/problems.ts';
import { withTimes } from '../../../src/http/pages/components/time.ts';
import { html } from '../../../src/http/pages/html.ts';
import { excerptOf } from '../../../src/spec/excerpt.ts';

test('what is far before a caret can be left out of both lines at once, and never half a character', () => {
  for (const [line, column] of [
    ['name: x', 3],
    [`  run: ${'a'.repeat(60)} <b>`, 70],
    [`${'😀'.repeat(40)}x`, 80],
    [`${'😀'.repeat(40)}x`, 81],
    ['y'.repeat(400), 390],
  ] as const) {
    const text = excerptOf([line], { line: 1, column }) ?? '';
    const shown = html`${excerpt({ file: '', line: 1, column, message: '', excerpt: text })}`.text;
    const plain = shown
      .replaceAll(/<\/?(?:pre|span)[^>]*>/g, '')
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>');
    assert.equal(plain, text);
    const far = [...shown.matchAll(/<span class="excerpt-far">([^<]*)</g)].map(([, part]) => part);
    assert.equal(far.length, column < 20 ? 0 : 2, line);
    if (far.length === 0) continue;
    assert.equal(far[0]?.length, far[1]?.length, 'the caret stays where it belongs');
    assert.ok(far[0]?.isWellFormed());
    const near = /excerpt-near">( *)\^/.exec(shown)?.[1]?.length ?? 0;
    assert.ok(near >= 19 && near <= 20, `${near} before the caret`);
  }
});

test('times in a reason are shown as times, and only what is one', () => {
  const now = Date.parse('2026-05-01T12:00:00Z');
  const shown = (text: string) => html`${withTimes(text, now)}`.text;
  assert.equal(
    shown('By <b> since 2026-05-01T11:00Z: x'),
    'By &lt;b&gt; <time datetime="2026-05-01T11:00:00.000Z" title="2026-05-01 11:00:00 UTC">1 h ago</time>: x',
  );
  assert.equal(shown('until 2026-05-01T13:00:30.000Z: 3'), 'until 2026-05-01 13:00 UTC: 3');
  for (const text of ['', 'Deployed', 'since 2026-99-99T11:00Z', '2026-05-01']) {
    assert.equal(shown(text), text);
  }
});
