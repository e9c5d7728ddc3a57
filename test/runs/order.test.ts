import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOrder, whyLate, type Lateness, type OrderFacts } from '../../src/runs/order.ts';
import { createFixture } from '../git/fixture.ts';

const SHA = 'a'.repeat(40);
const facts = (more: Partial<OrderFacts>): OrderFacts => ({
  candidate: { cause: 'event', sha: SHA },
  other: 'b'.repeat(40),
  contained: true,
  head: 'b'.repeat(40),
  ...more,
});

const decisions: [string, Partial<OrderFacts>, Lateness | undefined][] = [
  ['a revision that the deployed one contains is late', {}, 'contained'],
  ['so is the tag of one', { head: undefined }, 'contained'],
  ['a revision that goes on from the deployed one is not late', { contained: false }, undefined],
  [
    'a revision that its branch was forced away from, to the deployed one, is late',
    { contained: false, isDropped: true },
    'dropped',
  ],
  ['unless it stands there again', { contained: false, isDropped: true, head: SHA }, undefined],
  ['or is gone', { contained: false, isDropped: true, head: undefined }, undefined],
  ['a revision that its branch was forced back to is not late', { head: SHA }, undefined],
  ['the deployed revision itself is not late', { other: SHA, head: undefined }, undefined],
  [
    'the revision that somebody went back from by hand is late',
    { other: SHA, head: undefined, isLeft: true },
    'contained',
  ],
  ['unless its branch stands there', { other: SHA, head: SHA, isLeft: true }, undefined],
  ...(['retry', 'replay', 'rollback'] as const).map((cause): (typeof decisions)[number] => [
    `a ${cause} is never late: somebody wants it`,
    { candidate: { cause, sha: SHA }, isDropped: true },
    undefined,
  ]),
];
for (const [name, given, late] of decisions) {
  test(name, () => assert.equal(whyLate(facts(given)), late));
}

test('git itself says what contains what', async (context) => {
  const { mirrors, repository, git, commit } = await createFixture(context);
  const order = createOrder({ mirrors });
  const older = await git('rev-parse', 'HEAD');
  const newer = await commit({ 'README.md': 'second\n' });
  const signal = new AbortController().signal;
  const asks = (sha: string, other: string, branch: string | undefined = 'main') =>
    order.whyLate({ cause: 'event', repository, branch, sha }, other, signal);

  assert.equal(await asks(older, newer), 'contained');
  assert.equal(await asks(newer, older), undefined);
  assert.equal(await asks(older, newer, undefined), 'contained');
  assert.equal(await asks(older, newer, 'gone'), 'contained');
  assert.equal(await asks(older, 'c'.repeat(40)), undefined, 'the deployed revision is gone');

  await git('push', '--quiet', '--force', 'origin', `${older}:refs/heads/main`);
  assert.equal(await asks(older, newer), undefined, 'it is where the branch stands now');
});

test('a revision that its branch was forced away from is late for what the branch has now', async (context) => {
  const { mirrors, repository, git, commit } = await createFixture(context);
  const order = createOrder({ mirrors });
  const signal = new AbortController().signal;
  const asks = (sha: string, other: string, branch: string | undefined = 'main') =>
    order.whyLate({ cause: 'event', repository, branch, sha }, other, signal);
  const base = await git('rev-parse', 'HEAD');
  const first = await commit({ 'README.md': 'first try\n' });
  await git('push', '--quiet', 'origin', `${first}:refs/heads/kept`);
  await git('reset', '--quiet', '--hard', base);
  const amended = await commit({ 'README.md': 'amended\n' });

  assert.equal(await asks(first, amended), 'dropped', 'the head itself is deployed');
  assert.equal(await asks(amended, first), undefined, 'the head is never late');
  assert.equal(await asks(first, base), undefined, 'nothing of the new history is deployed');
  assert.equal(await asks(first, amended, 'kept'), undefined, 'another branch stands there');
  assert.equal(await asks(first, amended, 'gone'), undefined, 'nobody knows what it had');
  const tag = { cause: 'event', repository, branch: undefined, sha: first } as const;
  assert.equal(await order.whyLate(tag, amended, signal), undefined, 'a tag does not move');

  const next = await commit({ 'README.md': 'on top\n' });
  assert.equal(await asks(first, amended), 'dropped', 'the head has what is deployed');
  assert.equal(await asks(next, first), undefined);
  assert.equal(await asks(amended, first), undefined, 'the branch has it: it moves on to it');

  await git('push', '--quiet', '--force', 'origin', `${first}:refs/heads/main`);
  assert.equal(await asks(first, amended), undefined, 'forced back');
  assert.equal(await asks(next, first), 'dropped');
});
