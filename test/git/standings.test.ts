import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readGraph } from '../../src/git/commit-graph.ts';
import { NO_COMMIT } from '../../src/model/push-history.ts';
import { createRandom } from '../support/random.ts';
import { createFixture } from './fixture.ts';

const MAIN = 'refs/heads/main';

test('one list of a history with merges says of each two commits what git says, or nothing', async (t) => {
  const { mirrors, repository, git } = await createFixture(t);
  const random = createRandom(7);
  const tree = await git('rev-parse', 'HEAD^{tree}');
  const shas = [await git('rev-parse', 'HEAD')];
  for (let count = 0; count < 14; count += 1) {
    // The last one has all of them that are not in the history of another.
    const parents =
      count === 13 ? shas : [random.pick(shas.slice(-3)), random.pick(shas.slice(-4))];
    const flags = [...new Set(parents)].flatMap((sha) => ['-p', sha]);
    shas.push(await git('commit-tree', tree, ...flags, '-m', `commit ${count}`));
  }
  const [first = '', head = ''] = [shas[0], shas.at(-1)];
  await git('push', '--quiet', 'origin', `${head}:main`);
  const histories = new Map<string, Set<string>>();
  for (const sha of shas) histories.set(sha, new Set((await git('rev-list', sha)).split('\n')));

  for (const below of [first, shas[4] ?? '']) {
    const moves = [{ before: below, after: head }];
    const found = await mirrors.standings(repository, MAIN, moves);
    assert.equal(found.head, head);
    const listed = shas.filter((sha) => !histories.get(below)?.has(sha));
    assert.ok(listed.length > 5);
    for (const from of shas) {
      for (const to of shas) {
        const answer = found.graph.leadsTo(from, to);
        if (answer !== undefined) assert.equal(answer, histories.get(from)?.has(to));
        const isOpen = from !== to && ![from, to].every((sha) => [...listed, below].includes(sha));
        assert.equal(answer === undefined, isOpen, 'within the list nothing is left open');
      }
    }
  }
});

test('pushes that are told of with gaps and out of order are found in one list', async (t) => {
  const { mirrors, repository, commit } = await createFixture(t);
  const shas: string[] = [];
  for (let count = 0; count < 6; count += 1) shas.push(await commit({ 'a.txt': String(count) }));
  const move = (number: number) => ({ before: shas[number - 1] ?? '', after: shas[number] ?? '' });
  const { head = '', graph } = await mirrors.standings(repository, MAIN, [5, 1, 3].map(move));
  assert.equal(head, shas[5]);
  const answers = shas.map((sha) => graph.leadsTo(head, sha));
  assert.deepEqual(answers, [true, true, true, true, true, true]);
});

test('a list that was cut off leaves open what leads to the commit that it was to end at', () => {
  const list = 'three two\ntwo one\n';
  assert.equal(readGraph(list, 'one', 3).leadsTo('three', 'one'), true);
  assert.equal(readGraph(list, 'one', 2).leadsTo('three', 'one'), undefined);
  assert.equal(readGraph(list, 'one', 2).leadsTo('three', 'two'), true);
});

test('where there is nothing to begin the list from, only the branch is told of', async (t) => {
  const { mirrors, repository, commit } = await createFixture(t);
  const [one, two] = [await commit({ 'a.txt': '1' }), await commit({ 'a.txt': '2' })];
  for (const before of [NO_COMMIT, 'f'.repeat(40)]) {
    const moves = [
      { before, after: one },
      { before: one, after: two },
    ];
    const { head, graph } = await mirrors.standings(repository, MAIN, moves);
    assert.deepEqual([head, graph.leadsTo(two, one)], [two, undefined]);
  }
  const moves = [{ before: one, after: two }];
  const { head } = await mirrors.standings(repository, 'refs/heads/other', moves);
  assert.equal(head, undefined);
  await assert.rejects(mirrors.standings(repository, '--upload-pack=x', moves), {
    code: 'invalid-ref',
  });
  await assert.rejects(mirrors.standings(repository, MAIN, [{ before: '--all', after: two }]), {
    code: 'invalid-sha',
  });
});
