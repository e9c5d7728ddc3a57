import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadSpecs } from '../../src/spec/load.ts';

const DEPLOYMENTS = fileURLToPath(new URL('../../deployments', import.meta.url));
const DEMO = fileURLToPath(new URL('../../demo/specs', import.meta.url));
const EXAMPLES = fileURLToPath(new URL('../../docs/examples', import.meta.url));

for (const [directory, names] of [
  [DEMO, ['storefront']],
  [EXAMPLES, ['api-staging', 'shop-web', 'shop-api', 'api-release', 'site']],
] as const) {
  test(`every spec shipped in ${directory.split('/').slice(-2).join('/')} is valid`, async () => {
    const { specs, problems } = await loadSpecs(directory);
    assert.deepEqual(problems, []);
    for (const name of names)
      assert.ok(
        specs.some(({ spec }) => spec.name === name),
        name,
      );
  });

  test(`every spec shipped in ${directory.split('/').slice(-2).join('/')} names the schema for editors`, async () => {
    for (const file of await readdir(directory)) {
      if (!file.endsWith('.yaml')) continue;
      const [first] = (await readFile(join(directory, file), 'utf8')).split('\n');
      assert.match(first ?? '', /^# yaml-language-server: \$schema=.*schema\.json$/, file);
    }
  });
}

test('a checkout has no spec where a server looks that was told of no other place', async () => {
  const { specs, problems } = await loadSpecs(DEPLOYMENTS);
  assert.deepEqual([specs, problems], [[], []]);
});
