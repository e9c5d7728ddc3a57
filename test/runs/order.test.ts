import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOrder, isLate, type OrderFacts } from '../../src/runs/order.ts';
import { createFixture } from '../git/fixture.ts';

const SHA = 'a'.repeat(40);
const facts = (more: Partial<OrderFacts>): OrderFacts => ({
  candidate: { cause: 'event', sha: SHA },
  other: 'b'.repeat(40),
  contained: true,
  head: 'b'.repeat(40),
  ...more,
});

const decisions: [string, Partial<OrderFacts>, boolean][] = [
  ['a revision that the deployed one contains is late', {}, true],
  ['so is the tag of one', { head: undefined }, true],
  ['a revision that the deployed one does not contain is not late', { contained: false }, false],
  ['a revision that its branch was forced back to is not late', { head: SHA }, false],
  ['the deployed revision itself is not late', { other: SHA, head: undefined }, false],
  [
    'the revision that somebody went back from by hand is late',
    { other: SHA, head: undefined, isLeft: true },
    true,
  ],
  ['unless its branch stands there', { other: SHA, head: SHA, isLeft: true }, false],
  ...(['retry', 'replay', 'rollback'] as const).map((cause): (typeof decisions)[number] => [
    `a ${cause} is never late: somebody wants it`,
    { candidate: { cause, sha: SHA } },
    false,
  ]),
];
for (const [name, given, late] of decisions) {
  test(name, () => assert.equal(isLate(facts(given)), late));
}

test('git itself says what contains what', async (context) => {
  const { mirrors, repository, git, commit } = await createFixture(context);
  const order = createOrder({ mirrors });
  const older = await git('rev-parse', 'HEAD');
  const newer = await commit({ 'README.md': 'second\n' });
  const signal = new AbortController().signal;
  const asks = (sha: string, other: string, branch: string | undefined = 'main') =>
    order.isLate({ cause: 'event', repository, branch, sha }, other, signal);

  assert.equal(await asks(older, newer), true);
  assert.equal(await asks(newer, older), false);
  assert.equal(await asks(older, newer, undefined), true);
  assert.equal(await asks(older, newer, 'gone'), true);
  assert.equal(await asks(older, 'c'.repeat(40)), false, 'the deployed revision is gone');

  await git('push', '--quiet', '--force', 'origin', `${older}:refs/heads/main`);
  assert.equal(await asks(older, newer), false, 'it is where the branch stands now');
});
