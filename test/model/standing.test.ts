import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunCause } from '../../src/model/run.ts';
import { stoodBefore } from '../../src/model/standing.ts';

const CAUSES: Record<string, RunCause> = { '<': 'rollback', '+': 'retry', '!': 'deploy' };

/** `a b <a`: an event deploys a, then b, then a rollback a; `+` is a retry, `!` a deployment by hand. */
function read(history: string) {
  return history.split(' ').map((word) => {
    const cause = CAUSES[word[0] ?? ''];
    return { cause: cause ?? 'event', sha: cause === undefined ? word : word.slice(1) } as const;
  });
}

for (const [history, expected, what] of [
  ['a', '', 'nothing stood before the first'],
  ['a b c', 'b a', 'what events have deployed is taken back one after the other'],
  ['a b b', 'a', 'the same revision again stands where it stood'],
  ['a b a', 'b a', 'an event that brings an older revision stands upon the newer'],
  [
    'x a b <a',
    'x',
    'a rollback is taken back to what stood before it, not to what it went back from',
  ],
  ['x a b <a +a', 'x', 'and so is its retry'],
  ['x a b <a c', 'a x', 'after it the next commit stands upon what it went back to'],
  ['x a b <a a', 'x', 'a push of what it went back to changes nothing of that'],
  ['x a b c <a <c', 'b a x', 'a rollback to something newer undoes the one before'],
  ['a b c <b <a', '', 'one rollback after the other goes further back'],
  ['x a b +a', 'x', 'what is brought back by a retry stands where it stood'],
  ['x a b !a', 'x', 'and what is deployed again by hand'],
  ['a !b', 'a', 'a commit that is new stands upon what was there, also by hand'],
  ['a +b c', 'b a', 'and when only a retry has deployed it'],
  ['b <a', '', 'what a rollback went back from is not gone back to when its own first run is gone'],
] as const) {
  test(`${history}: ${what}`, () => {
    const runs = read(history);
    const run = runs.at(-1);
    assert.ok(run);
    const before = stoodBefore(run, runs.slice(0, -1)).map(({ sha }) => sha);
    assert.equal(before.join(' '), expected);
  });
}
