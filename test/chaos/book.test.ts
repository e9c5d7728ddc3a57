import assert from 'node:assert/strict';
import { test } from 'node:test';
import { overlaps, restarts, type BookLine } from './book.ts';

const line = (what: string, lane: string, writer: string): BookLine => {
  return { what, lane, writer, run: writer, step: 'deploy', mark: 'm' };
};

test('two writers one after the other do not overlap, even when the first never said its end', () => {
  assert.deepEqual(
    overlaps([
      line('start', 'a', '1'),
      line('works', 'a', '1'),
      line('start', 'b', '3'),
      line('start', 'a', '2'),
      line('end', 'a', '2'),
      line('end', 'b', '3'),
    ]),
    [],
  );
});

test('a writer that goes on after another has started overlaps', () => {
  assert.deepEqual(
    overlaps([line('start', 'a', '1'), line('start', 'a', '2'), line('works', 'a', '1')]),
    ['lane a: 1 was at work after 2 had started'],
  );
});

test('a step that is begun again counts as a restart, another step or run does not', () => {
  assert.equal(
    restarts([
      line('start', 'a', '1'),
      line('works', 'a', '1'),
      line('start', 'a', '1'),
      line('start', 'a', '2'),
      { ...line('start', 'a', '2'), step: 'build' },
    ]),
    1,
  );
});
