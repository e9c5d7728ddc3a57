import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSpecs } from '../../src/spec/parse.ts';

const head = 'name: shop\nrepository: acme/shop\non: { push: { branches: [main] } }\n';

test('a step has the limits of its spec, and its own before them', () => {
  const { specs, problems } = parseSpecs(
    'a.yaml',
    `${head}limits: { cpu: 10m, files: 256 }\nsteps: [{ run: a }, { run: b, limits: { cpu: 5s, memory: 512Mi } }]\n`,
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(
    specs[0]?.spec.steps.map((step) => step.limits),
    [
      { cpu: 600, files: 256 },
      { cpu: 5, files: 256, memory: 512 * 2 ** 20 },
    ],
  );
});

test('a spec that asks for more than the operator allows is told where, and how much that is', () => {
  const text = `${head}limits:\n  cpu: 1h\n  files: 64\nsteps:\n  - run: a\n  - run: b\n    limits:\n      memory: 4Gi\n`;
  const { specs, problems } = parseSpecs('a.yaml', text, { cpu: 600, memory: 2 ** 31, files: 64 });
  assert.deepEqual(specs, []);
  assert.deepEqual(
    problems.map(({ line, column, message }) => [line, column, message]),
    [
      [5, 8, 'a cpu limit of 1h 00m is more than the 10m 00s of MAINSHEET_STEP_LIMITS'],
      [11, 15, 'a memory limit of 4Gi is more than the 2Gi of MAINSHEET_STEP_LIMITS'],
    ],
  );
  assert.deepEqual(parseSpecs('a.yaml', text).problems, [], 'without bounds it is valid');
});

test('a limit that is none is a problem that says how to write it', () => {
  const limits = 'limits: { cpu: 1.5s, memory: 2GB, processes: 0, files: many, disk: 1Gi }';
  const { problems } = parseSpecs('a.yaml', `${head}${limits}\nsteps: [{ run: a }]\n`);
  const said = problems.map(({ message, hint }) => `${message} (${hint})`).join('\n');
  for (const part of [
    /"1\.5s" is no limit of cpu \(write whole seconds/,
    /"2GB" is no limit of memory \(write a size/,
    /"0" is no limit of processes/,
    /"many" is no limit of files/,
    /disk/,
  ]) {
    assert.match(said, part);
  }
});
