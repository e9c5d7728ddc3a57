import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askWhyLate } from '../../../src/runs/ordering/ask-git.ts';
import { NO_COMMIT } from '../../../src/model/push-history.ts';
import { createFixture } from '../../git/fixture.ts';

test('git itself says what contains what', async (context) => {
  const { mirrors, repository, git, commit } = await createFixture(context);
  const older = await commit({ 'README.md': 'first\n' });
  const newer = await commit({ 'README.md': 'second\n' });
  const signal = new AbortController().signal;
  const asks = (sha: string, other: string, branch: string | undefined = 'main') =>
    askWhyLate(mirrors, { cause: 'event', repository, branch, sha }, { sha: other }, signal);

  assert.equal(await asks(older, newer), 'contained');
  assert.equal(await asks(newer, older), undefined);
  assert.equal(await asks(older, newer, undefined), 'contained');
  assert.equal(await asks(older, newer, 'gone'), 'contained');
  assert.equal(await asks(older, 'c'.repeat(40)), undefined, 'the deployed revision is gone');

  await git('push', '--quiet', '--force', 'origin', `${older}:refs/heads/main`);
  assert.equal(await asks(older, newer), undefined, 'it is where the branch stands now');

  await git('reset', '--quiet', '--hard', older);
  const next = await commit({ 'docs/a': 'third\n' });
  const back = (...moves: [before: string, after: string][]) => {
    const known = async () => moves.map(([before, after]) => ({ before, after }));
    const candidate = { cause: 'event', repository, branch: 'main', sha: older } as const;
    return askWhyLate(mirrors, { ...candidate, moves: known }, { sha: newer }, signal);
  };
  const first = await git('rev-parse', `${older}~1`);
  const away = ['d'.repeat(40), 'e'.repeat(40)] as const;
  assert.equal(await back([newer, older]), undefined, 'the branch has gone on from there');
  assert.equal(await back([first, older], [newer, first]), undefined, 'it was pushed again');
  assert.equal(await back([NO_COMMIT, older], [older, newer]), 'contained', 'it came before');
  assert.equal(await back([newer, next]), 'contained', 'the branch had it all the time');
  assert.equal(await back([next, first]), 'contained', 'the branch did not leave the other one');
  assert.equal(await back([newer, away[0]]), 'contained', 'it is not known what the branch had');
  assert.equal(await back([away[0], away[1]]), 'contained', 'nor that it left the other one');
  await git('push', '--quiet', '--force', 'origin', `${newer}:refs/heads/main`);
  assert.equal(await back([newer, older]), 'contained', 'it has come to the other one again');
});

test('a revision that its branch was forced away from is late for what the branch has now', async (context) => {
  const { mirrors, repository, git, commit } = await createFixture(context);
  const signal = new AbortController().signal;
  const asks = (sha: string, other: string, branch: string | undefined = 'main') =>
    askWhyLate(mirrors, { cause: 'event', repository, branch, sha }, { sha: other }, signal);
  const base = await git('rev-parse', 'HEAD');
  const first = await commit({ 'README.md': 'first try\n' });
  await git('push', '--quiet', 'origin', `${first}:refs/heads/kept`);
  await git('reset', '--quiet', '--hard', base);
  const amended = await commit({ 'README.md': 'amended\n' });

  assert.equal(await asks(first, amended), 'dropped', 'the head itself is deployed');
  assert.equal(await asks(amended, first), undefined, 'the head is never late');
  assert.equal(await asks(first, base), undefined, 'nothing of the new history is deployed');
  assert.equal(await asks(first, amended, 'kept'), undefined, 'another branch stands there');
  assert.equal(await asks(first, amended, 'gone'), undefined, 'it is not known what it had');
  const tag = { cause: 'event', repository, branch: undefined, sha: first } as const;
  assert.equal(
    await askWhyLate(mirrors, tag, { sha: amended }, signal),
    undefined,
    'a tag does not move',
  );

  const next = await commit({ 'README.md': 'on top\n' });
  assert.equal(await asks(first, amended), 'dropped', 'the head has what is deployed');
  assert.equal(await asks(next, first), undefined);
  assert.equal(await asks(amended, first), undefined, 'the branch has it: it moves on to it');

  await git('push', '--quiet', '--force', 'origin', `${first}:refs/heads/main`);
  assert.equal(await asks(first, amended), undefined, 'forced back');
  assert.equal(await asks(next, first), 'dropped');
});
