import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeploymentSpec } from '../../src/model/deployment-spec.ts';
import type { Event } from '../../src/model/event.ts';
import { matchSpec } from '../../src/spec/match.ts';
import { sampleLoaded } from '../runs/samples.ts';

const REPOSITORY = sampleLoaded().spec.repository;
const TRIGGER = { branches: ['main'], ttlMs: 1, most: 1, forks: false };

function against(event: object, forks = false, secrets: string[] = []): string | undefined {
  const on = { pullRequest: { ...TRIGGER, forks } } as DeploymentSpec['on'];
  const { spec } = sampleLoaded({ on, secrets });
  const whole = {
    kind: 'pull_request',
    repository: REPOSITORY,
    number: 7,
    isReady: true,
    isClosed: false,
    base: 'main',
    head: 'a'.repeat(40),
    headRepository: REPOSITORY.toUpperCase(),
    ...event,
  };
  return matchSpec(spec, whole as Event, {}).reasons.find(({ held }) => !held)?.detail;
}

const FORK = { headRepository: 'eve/shop' };
const name = 'pull request #7';
for (const [what, said, expected] of [
  ['an open one', against({}), undefined],
  ['one with secrets', against({}, false, ['TOKEN']), undefined],
  ['a draft', against({ isReady: false }), `${name} is a draft`],
  ['a closed one', against({ isReady: false, isClosed: true }), `${name} is closed`],
  ['one into another branch', against({ base: 'next' }), 'next matches none of main'],
  ['one of a fork', against(FORK), `${name} is of a fork, and the spec does not say forks: true`],
  [
    'one of a fork that is gone',
    against({ headRepository: undefined }),
    `${name} is of a fork, and the spec does not say forks: true`,
  ],
  ['one of a fork that may be deployed', against(FORK, true), undefined],
  [
    'one of a fork beside secrets',
    against(FORK, true, ['TOKEN']),
    `${name} is of a fork, and the spec has secrets: a fork's code never runs with them`,
  ],
  [
    'a teardown',
    against({ kind: 'teardown', spec: sampleLoaded().spec.name, reason: 'x', fork: true }),
    undefined,
  ],
  [
    'a teardown of a fork beside secrets',
    against({ kind: 'teardown', spec: sampleLoaded().spec.name, reason: 'x', fork: true }, true, [
      'TOKEN',
    ]),
    `the preview is of a fork, and the spec has secrets by now: a fork's code never runs with them`,
  ],
  [
    'a teardown of another spec',
    against({ kind: 'teardown', spec: 'other', reason: 'x', fork: false }),
    `${sampleLoaded().spec.name} deploys no pull requests any more`,
  ],
] as const) {
  test(`a pull request is deployed or not, and it is said why: ${what}`, () => {
    assert.equal(said, expected);
  });
}
