import assert from 'node:assert/strict';
import { test } from 'node:test';
import { comparePathsNow, type PathList } from '../../src/spec/match-paths.ts';
import { newTableRoom, tabulatePaths, type TableRoom } from '../../src/spec/path-table.ts';

const only: PathList = { patterns: ['services/**', 'docs/**', '!docs/**'], wanted: 'match' };
const except: PathList = { patterns: ['docs/**', '!docs/api/**'], wanted: 'miss' };

function tabulate(list: PathList, paths: readonly string[], room: TableRoom = newTableRoom()) {
  const tabulating = tabulatePaths(list, paths, room);
  for (;;) {
    const step = tabulating.next();
    if (step.done === true) return step.value;
  }
}

test('each file stands beside the last pattern that matches it: first those that count, then those that a pattern took out', () => {
  const paths = ['README.md', 'docs/x', 'services/api/a.ts', 'docs/api/y'];
  assert.deepEqual(tabulate(only, paths), {
    rows: [
      { path: 'services/api/a.ts', by: 'services/**', counts: true },
      { path: 'docs/x', by: '!docs/**', counts: false },
      { path: 'docs/api/y', by: '!docs/**', counts: false },
      { path: 'README.md', by: undefined, counts: false },
    ],
    files: 4,
    counting: 1,
    compared: 4,
  });
  assert.deepEqual(
    tabulate(except, paths).rows.map(({ path, by, counts }) => [path, by, counts]),
    [
      ['README.md', undefined, true],
      ['services/api/a.ts', undefined, true],
      ['docs/api/y', '!docs/api/**', true],
      ['docs/x', 'docs/**', false],
    ],
  );
});

test('files count exactly where the verdict finds one', () => {
  for (const list of [only, except]) {
    for (const paths of [['docs/x'], ['docs/api/y'], ['a', 'docs/x'], ['services/x'], []]) {
      const found = comparePathsNow([list], paths)(list).kind === 'found';
      assert.equal(tabulate(list, paths).counting > 0, found, `${list.wanted} ${paths.join()}`);
    }
  }
});

test('a table has 200 rows and counts the rest; all tables together have as many rows and as much work as there is room', () => {
  const many = Array.from({ length: 5000 }, (_, index) => `docs/${index}`);
  const room = { steps: 10_000_000, rows: 250 };
  const first = tabulate(except, [...many, 'src/last'], room);
  assert.deepEqual([first.rows.length, first.files, first.compared], [200, 5001, 5001]);
  assert.deepEqual(first.rows[0], { path: 'src/last', by: undefined, counts: true });
  assert.equal(tabulate(except, many, room).rows.length, 50);
  assert.equal(tabulate(except, many, room).rows.length, 0);
  const poor = { steps: 1000, rows: 250 };
  const cut = tabulate(except, many, poor);
  assert.ok(cut.compared < 200, String(cut.compared));
  assert.equal(tabulate(except, many, poor).compared, 0);
  assert.equal(tabulate(except, ['x'.repeat(5000), 'src/a']).compared, 0);
});

test('hostile patterns and many files let other work have its turn', () => {
  const patterns = Array.from({ length: 60 }, (_, index) => `**${'a*'.repeat(40)}${index}`);
  const paths = Array.from({ length: 200 }, (_, index) => `${'a'.repeat(300)}${index}`);
  let turns = 0;
  const tabulating = tabulatePaths({ patterns, wanted: 'match' }, paths, newTableRoom());
  while (tabulating.next().done !== true) turns += 1;
  assert.ok(turns > 1, String(turns));
});
