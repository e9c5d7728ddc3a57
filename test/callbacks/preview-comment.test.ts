import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunChange } from '../../src/callbacks/contract.ts';
import { callbacksFor } from '../../src/callbacks/index.ts';
import { sampleLoaded } from '../runs/samples.ts';
import { sampleRun } from '../store/samples.ts';

const SHA = 'a'.repeat(40);

function told(run: object, previous: RunChange['previous'] = 'running') {
  const { spec } = sampleLoaded();
  const whole = {
    ...sampleRun('r1'),
    sequence: 1,
    sha: SHA,
    event: 'pull_request',
    ref: 'refs/pull/7/head',
    ...run,
  } as const;
  const change = { run: whole, spec, previous, wasDeployed: false, publicUrl: 'https://m.example' };
  return callbacksFor(change);
}

const textOf = (run: object, previous?: RunChange['previous']) =>
  told(run, previous).flatMap((one) => (one.kind === 'preview-comment' ? [one.text] : []))[0];

test('a comment has the address of a preview, when that is one', () => {
  const at = (address: string, more = {}) =>
    textOf({
      state: 'succeeded',
      environment: 'preview-7',
      outputs: { environment_url: address },
      ...more,
    });
  const before = 'The preview of `storefront` at `aaaaaaa`: ';
  const after = ' ([run](https://m.example/runs/r1))';
  assert.equal(at('https://seven.example/a b'), `${before}<https://seven.example/a%20b>${after}`);
  assert.equal(
    at('https://x.example/>@eve<img src=x>'),
    `${before}<https://x.example/%3E@eve%3Cimg%20src=x%3E>${after}`,
  );
  for (const hostile of ['javascript:alert(1)', '@eve <img src=x>']) {
    assert.equal(at(hostile), `${before}\`preview-7\`${after}`);
  }
  assert.equal(
    at('https://***/', { maskedOutputs: ['environment_url'] }),
    `${before}\`preview-7\`${after}`,
  );
});

test('what a failure says is nothing but text', () => {
  assert.match(
    textOf({ state: 'failed', fault: 'step', reason: '`@eve` <img src=x>' }) ?? '',
    /^The preview of `storefront` at `aaaaaaa`: `Failed: '@\u200beve' <img src=x>` \(/,
  );
});

test('a teardown is told by its comment, and by nothing that its commit is judged by', () => {
  const kinds = told({ event: 'teardown', state: 'succeeded' }).map(({ kind }) => kind);
  assert.deepEqual(
    kinds.filter((kind) => /^(?:status|deployment|check)/.test(kind)),
    [],
  );
  assert.match(textOf({ event: 'teardown', state: 'succeeded' }) ?? '', /is taken down/);
  assert.match(textOf({ event: 'teardown', state: 'failed' }) ?? '', /could not be taken down/);
});

test('a run that is of no pull request has no such comment', () => {
  assert.equal(textOf({ event: 'push', state: 'succeeded' }), undefined);
});
