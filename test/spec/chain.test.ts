import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { ChainEvent } from '../../src/model/event.ts';
import { loadSpecs, parseSpecs } from '../../src/spec/load.ts';
import { matchSpec } from '../../src/spec/match.ts';
import { formatProblem } from '../../src/spec/problem.ts';

function spec(name: string, on: string, more = 'repository: acme/shop'): string {
  return `name: ${name}\n${more}\non: ${on}\nsteps: [{ run: "true" }]\n`;
}

async function load(t: TestContext, ...documents: string[]) {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-chain-'));
  t.after(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, 'chain.yaml'), documents.join('---\n'));
  const { problems, warnings } = await loadSpecs(directory);
  return { problems: problems.map(formatProblem), warnings: warnings.map(formatProblem) };
}

test('a chain is read with every default filled in', () => {
  const { specs, problems } = parseSpecs(
    'x.yaml',
    spec(
      'production',
      '{ deployment: [{ spec: staging }, { spec: canary, states: [failed, cancelled], soak: 30m }] }',
    ),
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(specs[0]?.spec.on.deployments, [
    { spec: 'staging', states: ['succeeded'], soakMs: 0 },
    { spec: 'canary', states: ['failed', 'cancelled'], soakMs: 30 * 60_000 },
  ]);
});

for (const [what, written, expected] of [
  ['a misspelt key', '{ spec: a, soack: 1m }', /unknown key "soack".*did you mean "soak"/],
  ['a misspelt state', '{ spec: a, states: [succeded] }', /succeded.*succeeded/],
  ['a state that does nothing', '{ spec: a, states: [superseded] }', /superseded/],
  ['no spec', '{ soak: 1m }', /spec/],
  ['a soak for ever', '{ spec: a, soak: 91d }', /at most 90d/],
] as const) {
  test(`refused in a chain: ${what}`, () => {
    const { problems } = parseSpecs('x.yaml', spec('b', `{ deployment: ${written} }`));
    assert.equal(problems.length, 1);
    assert.match(problems.map(formatProblem).join(), /^x\.yaml:3:\d+: /);
    assert.match(problems.map(formatProblem).join(), expected);
  });
}

test('a chain that comes back to where it began is refused, once for each cycle, with its place', async (t) => {
  const { problems } = await load(
    t,
    spec('first', 'push'),
    spec('a', '{ deployment: { spec: c } }'),
    spec('b', '{ deployment: [{ spec: a }, { spec: first }] }'),
    spec('c', '{ deployment: { spec: b } }'),
    spec('self', '{ deployment: { spec: self } }'),
  );
  assert.deepEqual(problems, [
    'chain.yaml:6:1: the chain comes back to where it began: a → b → c → a — take on.deployment out of one of them',
    'chain.yaml:21:1: the chain comes back to where it began: self → self — take on.deployment out of one of them',
  ]);
});

test('fan-out and fan-in without a way back are no cycle', async (t) => {
  const { problems, warnings } = await load(
    t,
    spec('a', 'push'),
    spec('b', '{ deployment: { spec: a } }'),
    spec('c', '{ deployment: { spec: a } }'),
    spec('d', '{ deployment: [{ spec: b }, { spec: c }] }'),
  );
  assert.deepEqual([...problems, ...warnings], []);
});

test('a chain to another repository is refused, and one from an unknown spec is warned of', async (t) => {
  const { problems, warnings } = await load(
    t,
    spec('staging', 'push'),
    spec('other', '{ deployment: { spec: staging } }', 'repository: acme/api'),
    spec('production', '{ deployment: { spec: stagin } }'),
  );
  assert.match(problems.join(), /chain\.yaml:6:1: other is started by staging, which deploys acme/);
  assert.match(warnings.join(), /started by the spec stagin, which no file has.*"staging"/);
});

test('the end of a run starts the spec that names it still, if its condition holds', () => {
  const event: ChainEvent = {
    kind: 'deployment',
    repository: 'acme/shop',
    starts: 'production',
    after: { run: 'r1', spec: 'staging', state: 'succeeded' },
    ref: 'refs/heads/main',
    branch: 'main',
    sha: 'a'.repeat(40),
  };
  const verdictOf = (on: string, more = '') => {
    const { specs } = parseSpecs('x.yaml', spec('production', on) + more);
    assert.ok(specs[0]);
    const payload = { spec: 'production', deployment: { environment: 'staging' } };
    return matchSpec(specs[0].spec, event, payload);
  };
  const chain = '{ deployment: { spec: staging, soak: 30m } }';
  const matched = verdictOf(chain, `if: event.deployment.environment == 'staging'\n`);
  assert.ok(matched.matched);
  assert.deepEqual(matched.reasons.map(({ detail }) => detail).slice(0, 2), [
    'run r1 of staging has deployed aaaaaaa',
    'succeeded, healthy for 30m 00s',
  ]);
  assert.equal(verdictOf(chain, `if: github.ref_name == 'release'\n`).matched, false);
  assert.match(
    verdictOf('{ deployment: { spec: staging, states: failed } }').reasons[0]?.detail ?? '',
    /is not started any more when staging has succeeded/,
  );
});
