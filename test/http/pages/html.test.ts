import assert from 'node:assert/strict';
import { test } from 'node:test';
import { html, pathTo } from '../../../src/http/pages/html.ts';

test('what is put into a template is text, in elements and in attributes', () => {
  const hostile = `<script>alert('1')</script>" onload="&`;
  assert.equal(
    html`<p title="${hostile}">${hostile}</p>`.text,
    '<p title="&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot; onload=&quot;&amp;">&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot; onload=&quot;&amp;</p>',
  );
});

test('templates and lists of them are put in as they are, what is not there as nothing', () => {
  const items = ['a', '<b>'].map((text) => html`<li>${text}</li>`);
  const list = html`<ul>${items}</ul>${undefined}${null}${false}${0}`;
  assert.equal(list.text, '<ul><li>a</li><li>&lt;b&gt;</li></ul>0');
});

test('an object that only looks like a template is not taken for one', () => {
  const forged = { text: '<b>' } as unknown as string;
  assert.equal(html`${forged}`.text, '');
});

test('each part of a path is encoded, and only what is set is asked for', () => {
  assert.equal(
    pathTo(['specs', '../a?b#c'], { q: 'ä &', none: undefined, empty: '' }),
    'specs/..%2Fa%3Fb%23c?q=%C3%A4+%26',
  );
});

test('text that would turn the direction of what follows, or holds control characters, shows so; lines and tabs stay', () => {
  const hostile = 'a\u202Egnp.exe\u2066\u001B]8;;x\u0007\u0000\u009B\r\n\tb';
  assert.equal(html`${hostile}`.text, 'a�gnp.exe��]8;;x���\r\n\tb');
});
