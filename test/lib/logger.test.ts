import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const MODULE = new URL('../../src/lib/logger.ts', import.meta.url).href;

test('what was logged before a crash is written, whole and in order', () => {
  const script = `
    const { createLogger } = await import(${JSON.stringify(MODULE)});
    const logger = createLogger({ level: 'info', format: 'json' });
    for (let count = 1; count <= 100; count++) logger.info({ count }, 'counted');
    logger.fatal('the end');
    logger.info('after it');
    process.kill(process.pid, 'SIGKILL');`;
  const { signal, stdout } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', script],
    { encoding: 'utf8' },
  );
  assert.equal(signal, 'SIGKILL');
  const lines = stdout.trim().split('\n');
  const said = lines.map((line) => JSON.parse(line) as { msg: string; count?: number });
  assert.deepEqual(
    said.map(({ msg, count }) => count ?? msg),
    [...Array.from({ length: 100 }, (_, index) => index + 1), 'the end', 'after it'],
  );
});
