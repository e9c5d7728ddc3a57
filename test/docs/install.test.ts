import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

test('the page about one server shows the systemd unit as the package has it', () => {
  const unit = read('systemd/mainsheet.service');
  assert.ok(read('docs/one-server.md').includes(`\`\`\`ini\n${unit}\`\`\``));
});

test('the image leaves out what only the demo needs, and nothing that the controller needs', () => {
  const source = globSync('src/**/*.ts', { cwd: ROOT }).map((path) => read(join(path)));
  const isUsed = (name: string) =>
    source.some((text) => text.includes(`'${name}'`) || text.includes(`'${name}/`));
  const { dependencies } = JSON.parse(read('package.json'));
  const [, uninstalled = ''] = /npm uninstall([^&]*?)\nCOPY/.exec(read('Dockerfile')) ?? [];
  assert.deepEqual(
    uninstalled
      .split(/[\s\\]+/)
      .filter((word) => word !== '' && !word.startsWith('--') && word !== '/tmp/npm'),
    Object.keys(dependencies).filter((name) => !isUsed(name)),
  );
});
