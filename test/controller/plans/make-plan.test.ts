import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMakePlan } from '../../../src/controller/plans/make-plan.ts';
import type { PulledEvent } from '../../../src/store/plans.ts';

const HOME = 'acme/specs';
const pull: PulledEvent = {
  kind: 'pull_request',
  repository: HOME,
  number: 12,
  isReady: true,
  isClosed: false,
  base: 'main',
  head: 'a'.repeat(40),
  headBranch: 'change',
  headRepository: HOME,
  title: 'Change',
  defaultBranch: 'main',
  changedAt: 0,
};
const DONE = { deliveries: 5, deployed: 0, wouldDeploy: 1, differences: [], total: 1 };
const spec = `name: shop
repository: acme/private
on: { push: {} }
if: github.event.head_commit.message.contains('launch')
steps: [{ run: 'true' }]
`;

test('changed specs of a fork are not judged by what came: a condition would tell a stranger of private payloads (G12)', async () => {
  let judged = 0;
  const makePlan = createMakePlan({
    catalog: {
      current: () => ({ specs: [], problems: [], loadedAt: 1, stale: false }),
      hooks: () => [],
    },
    mirrors: {
      mergePreview: async () => ({ base: 'b'.repeat(40), paths: ['shop.yaml'] }),
      readTexts: async () => new Map([['shop.yaml', { text: spec }]]),
      commit: async () => ({ message: 'm', author: 'a', committer: 'c' }) as never,
    },
    async backtest() {
      judged += 1;
      return DONE;
    },
    home: { kind: 'github', repository: HOME, path: '', ref: undefined },
    stepLimits: {},
    clock: { now: () => 0, elapsed: () => 0, sleep: async () => undefined },
  });
  const backtestOf = async (headRepository: string | undefined, formerly: string[] = []) =>
    (await makePlan({ ...pull, headRepository, formerly }, new AbortController().signal))?.backtest;

  assert.equal(await backtestOf('eve/specs'), 'fork');
  assert.equal(await backtestOf(undefined), 'fork', 'a fork that was deleted');
  assert.equal(judged, 0);
  assert.deepEqual(await backtestOf('Acme/Specs'), DONE);
  assert.deepEqual(await backtestOf('acme/old-name', ['acme/old-name']), DONE);
});
