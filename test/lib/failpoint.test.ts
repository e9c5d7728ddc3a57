import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { createFailpoint, noFailpoint, parseFailpoints } from '../../src/lib/failpoint.ts';

const MODULE = new URL('../../src/lib/failpoint.ts', import.meta.url).href;

test('a planned place kills the process at its nth pass, and no other place does', () => {
  const script = `
    const { createFailpoint, parseFailpoints } = await import(${JSON.stringify(MODULE)});
    const failpoint = createFailpoint(parseFailpoints('end.after:2'));
    process.on('exit', () => console.log('noticed'));
    for (const name of ['end.before', 'end.after', 'end.before', 'end.after', 'end.after']) {
      console.log(name);
      failpoint(name);
    }`;
  const { signal, stdout } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', script],
    { encoding: 'utf8' },
  );
  assert.equal(signal, 'SIGKILL');
  assert.deepEqual(stdout.trim().split('\n'), [
    'end.before',
    'end.after',
    'end.before',
    'end.after',
  ]);
});

test('what names no place, or no pass, is no plan', () => {
  assert.deepEqual(
    parseFailpoints('accept.before, step.after:3'),
    new Map([
      ['accept.before', 1],
      ['step.after', 3],
    ]),
  );
  for (const text of ['nowhere', 'accept.before:0', 'accept.before:x', 'accept.before:', '']) {
    assert.equal(parseFailpoints(text), undefined, text);
  }
});

test('without a plan there is nothing to pass', () => {
  assert.equal(createFailpoint(new Map()), noFailpoint);
});
