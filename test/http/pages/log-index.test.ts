import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PLAIN } from '../../../src/http/pages/log/ansi.ts';
import { BLOCK, createLogIndexes, linesOf } from '../../../src/http/pages/log/log-index.ts';
import { renderRows } from '../../../src/http/pages/log/rows.ts';
import type { LogChunk } from '../../../src/store/logs.ts';
import { createRandom } from '../../support/random.ts';

/** A log as the store keeps it, which a test adds to. */
function logOf(...texts: (string | [step: number, text: string])[]) {
  const chunks: LogChunk[] = [];
  let reads = 0;
  const add = (...more: typeof texts) => {
    for (const entry of more) {
      const [step, text] = typeof entry === 'string' ? [0, entry] : entry;
      chunks.push({ seq: chunks.length, at: 1000 + chunks.length, step, stream: 'stdout', text });
    }
  };
  add(...texts);
  const read = async (_run: string, after: number, limit: number) => {
    const found = chunks.filter(({ seq }) => seq > after).slice(0, limit);
    reads += found.length;
    return found;
  };
  const store = { logs: { read } as never };
  return { add, store, index: createLogIndexes(store), reads: () => reads };
}

const texts = (lines: { text: string }[]) => lines.map(({ text }) => text);

test('lines are found whatever pieces they came in', async () => {
  const { index } = logOf('one\ntw', 'o\n', '\n', 'last');
  assert.deepEqual((await index.count('r')).get(0)?.lines, 4);
  const { lines } = await index.block('r', 0, 0);
  assert.deepEqual(texts(lines), ['one', 'two', '', 'last']);
  assert.deepEqual(
    lines.map(({ number }) => number),
    [0, 1, 2, 3],
  );
});

test('steps that write in turn have their own lines', async () => {
  const { index } = logOf([-1, 'fetch\n'], [0, 'a'], [1, 'x\n'], [0, 'b\n'], [-1, 'again\n']);
  assert.deepEqual(texts((await index.block('r', 0, 0)).lines), ['ab']);
  assert.deepEqual(texts((await index.block('r', -1, 0)).lines), ['fetch', 'again']);
});

test('each block of a long log is what it would be in one piece, whatever the pieces', async () => {
  const random = createRandom(5);
  const all = Array.from({ length: 3 * BLOCK + 7 }, (_, line) => `line ${line}`);
  const text = `${all.join('\n')}\n`;
  const pieces: string[] = [];
  for (let at = 0; at < text.length;) {
    const length = random.int(1, 900);
    pieces.push(text.slice(at, at + length));
    at += length;
  }
  const { index, store } = logOf(...pieces);
  for (let from = 0; from < all.length; from += BLOCK) {
    const { lines } = await index.block('r', 0, from);
    assert.deepEqual(texts(lines), all.slice(from, from + BLOCK), `from ${from}`);
    assert.equal(lines[0]?.number, from);
  }
  assert.deepEqual((await index.block('r', 0, 4 * BLOCK)).lines, []);
  const read: string[] = [];
  for await (const line of linesOf(store, 'r')) read.push(line.text);
  assert.deepEqual(read, all);
});

test('what was read once is not read again when a log grows', async () => {
  const log = logOf(...Array.from({ length: 1200 }, (_, line) => `line ${line}\n`));
  await log.index.count('r');
  const before = log.reads();
  log.add('one more\n');
  assert.equal((await log.index.count('r')).get(0)?.lines, 1201);
  assert.equal(log.reads() - before, 1);
});

test('a colour and a group that are open go on in the next block', async () => {
  const lines = Array.from({ length: BLOCK - 2 }, () => 'x\n');
  const { index } = logOf(
    '::group::Ins',
    'tall <b>\n',
    '\u001B[31mred\n',
    ...lines,
    'still\n::endgroup::\nend\n',
  );
  const { lines: next, start } = await index.block('r', 0, BLOCK);
  const { text } = await renderRows(0, next, start, true);
  assert.match(text, /^<details class="g"><summary class="l">.*Install &lt;b&gt; \(continued\)/);
  assert.match(text, /<span class="f1">still<\/span>.*<\/details>.*end/);
});

test('each line has the id that links name, and a group folds what is in it', async () => {
  const lines = ['::group::Deps', 'inside', '::endgroup::', 'after'].map((text, number) => ({
    number,
    at: 0,
    stream: 'stdout' as const,
    text,
  }));
  const { text } = await renderRows(1, lines, { style: PLAIN, group: undefined }, true);
  assert.match(text, /<details class="g"><summary class="l" id="2\.1">.*inside.*<\/details>/);
  assert.match(text, /<\/details><div class="is-end" id="2\.3"><\/div><div class="l" id="2\.4">/);
  const cut = async (isEnd: boolean) =>
    (await renderRows(1, lines.slice(0, 2), { style: PLAIN, group: undefined }, isEnd)).text;
  assert.match(
    await cut(true),
    /<details class="g" open>.*inside/,
    'a log that ends in it shows it',
  );
  assert.match(await cut(false), /<details class="g"><summary/);
});

test('of a line without an end the beginning is shown, and of a progress bar the end', async () => {
  const shown = async (text: string) => {
    const line = { number: 0, at: 0, stream: 'stdout' as const, text };
    return (await renderRows(0, [line], { style: PLAIN, group: undefined }, true)).text;
  };
  const long = await shown(`\u001B[31m${'x'.repeat(60_000)}`);
  assert.match(long, /<span class="f1">x{49995}<\/span>…<\/span>/);
  assert.match(await shown(`${'50 %\r'.repeat(20_000)}100 %`), /<span>100 %<\/span>/);
});
