import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Run } from '../../src/model/run.ts';
import { stepEnvironment } from '../../src/steps/environment.ts';
import { sampleRun } from '../store/samples.ts';

const run: Run = {
  ...sampleRun('01run', {
    lane: 'storefront-production',
    delivery: 'delivery-1',
    state: 'running',
  }),
  sequence: 1,
};

const base = {
  run,
  eventPath: '/scratch/event.json',
  eventsPath: '/scratch/events.json',
  outputPath: '/scratch/output',
  workspace: '/work',
  inherited: {},
  env: {},
  secrets: {},
};

test('a step sees what docs/specs.md lists, and of the controller only PATH, HOME, LANG and TZ', () => {
  const environment = stepEnvironment({
    inputs: {},
    ...base,
    inherited: { PATH: '/bin', HOME: '/root', LANG: undefined, GITHUB_TOKEN: 'secret' },
    env: { NODE_ENV: 'production' },
    secrets: { REGISTRY_TOKEN: 'swordfish' },
  });
  assert.deepEqual(environment, {
    PATH: '/bin',
    HOME: '/root',
    CI: 'true',
    NODE_ENV: 'production',
    REGISTRY_TOKEN: 'swordfish',
    MAINSHEET_RUN_ID: '01run',
    MAINSHEET_SPEC: 'storefront',
    MAINSHEET_ENVIRONMENT: 'storefront-production',
    MAINSHEET_REPOSITORY: 'acme/storefront',
    MAINSHEET_REF: 'refs/heads/main',
    MAINSHEET_BRANCH: 'main',
    MAINSHEET_TAG: '',
    MAINSHEET_SHA: 'a'.repeat(40),
    MAINSHEET_EVENT: 'push',
    MAINSHEET_DELIVERY: 'delivery-1',
    MAINSHEET_EVENT_PATH: '/scratch/event.json',
    MAINSHEET_EVENTS_PATH: '/scratch/events.json',
    MAINSHEET_OUTPUT: '/scratch/output',
    MAINSHEET_WORKSPACE: '/work',
  });
});

test("a variable of the spec replaces a secret of the same name, but nothing replaces Mainsheet's own", () => {
  const environment = stepEnvironment({
    inputs: {},
    ...base,
    env: { TOKEN: 'written', CI: 'false', MAINSHEET_SHA: 'forged' },
    secrets: { TOKEN: 'secret', MAINSHEET_RUN_ID: 'forged' },
  });
  assert.equal(environment['TOKEN'], 'written');
  assert.equal(environment['CI'], 'false');
  assert.equal(environment['MAINSHEET_SHA'], run.sha);
  assert.equal(environment['MAINSHEET_RUN_ID'], run.id);
});

for (const [behaviour, env, message] of [
  ['a NUL character', { BAD: 'a\0b' }, /^the value of BAD has a NUL character/],
  [
    'a value that no program can be started with',
    { BIG: 'ä'.repeat(70_000) },
    /^the value of BIG has 140004 bytes/,
  ],
  ['a name that is none', { 'A=B': 'x' }, /^"A=B" cannot name a variable/],
] as const) {
  test(`an environment is refused, without showing the value: ${behaviour}`, () => {
    assert.throws(() => stepEnvironment({ ...base, inputs: {}, env }), {
      code: 'step-environment',
      message,
    });
  });
}
