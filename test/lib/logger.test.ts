import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

const MODULE = new URL('../../src/lib/logger.ts', import.meta.url).href;

/** What a program has to say that logs to its standard output. */
const program = (text: string) => [
  '--input-type=module',
  '--eval',
  `const { createLogger } = await import(${JSON.stringify(MODULE)});
  const logger = createLogger({ level: 'info', format: 'json' });
  ${text}`,
];

const said = (stdout: string) =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { msg: string; count?: number; lines?: number });

for (const [end, last] of [
  ['by itself', ''],
  ['by a kill', "process.kill(process.pid, 'SIGKILL')"],
] as const) {
  test(`every line is written, in order and a fatal one in its place, by a process that ends ${end}`, () => {
    // As many as a pipe has room for, whenever they are read.
    const text = `for (let count = 0; count < 100; count++) {
      logger.info({ count }, 'counted');
      if (count % 10 === 9) logger.fatal({ count: count + 0.5 }, 'fatal');
      if (count % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    ${last}`;
    const { stdout } = spawnSync(process.execPath, program(text), { encoding: 'utf8' });
    const counts = said(stdout).map(({ count }) => count ?? NaN);
    assert.equal(counts.length, 110);
    assert.deepEqual(
      counts,
      counts.toSorted((a, b) => a - b),
    );
  });
}

test('a reader that stops holds nothing up, and hears afterwards how much it has missed', async (t) => {
  const text = `
    const line = 'x'.repeat(10_000);
    for (let count = 0; count < 3000; count++) logger.info({ count, line }, 'counted');
    // The event loop goes on although nothing reads.
    setTimeout(() => process.stderr.write('alive'), 10);
    process.stdin.resume();`;
  const child = spawn(process.execPath, program(text), { stdio: 'pipe' });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stderr, 'data');
  const lines: { count?: number; lines?: number }[] = [];
  const reader = createInterface({ input: child.stdout });
  for await (const line of reader) {
    lines.push(JSON.parse(line) as { count?: number });
    if (lines.at(-1)?.lines !== undefined) break;
  }
  const missed = lines.pop()?.lines ?? 0;
  assert.ok(missed > 0);
  assert.equal(lines.length + missed, 3000);
  assert.deepEqual(
    lines.map(({ count }) => count),
    lines.map((_, index) => index),
  );
  child.stdin.end();
  const [status] = (await once(child, 'exit')) as [number];
  assert.equal(status, 0);
});

test('a reader that has stopped does not keep the process from ending', async (t) => {
  const text = `
    for (let count = 0; count < 3000; count++) logger.info({ line: 'x'.repeat(1000) }, 'counted');
    setTimeout(() => process.exit(7), 10);`;
  const child = spawn(process.execPath, program(text), { stdio: ['ignore', 'pipe', 'ignore'] });
  t.after(() => child.kill('SIGKILL'));
  const [status] = (await once(child, 'exit')) as [number];
  assert.equal(status, 7);
});

test(
  'a full disk behind the log ends nothing',
  { skip: !existsSync('/dev/full') && 'there is no /dev/full' },
  () => {
    const full = openSync('/dev/full', 'w');
    const text = `for (let count = 0; count < 10; count++) {
      logger.error('not told');
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    process.exitCode = 7;`;
    const { status } = spawnSync(process.execPath, program(text), {
      stdio: ['ignore', full, 'inherit'],
    });
    closeSync(full);
    assert.equal(status, 7);
  },
);
