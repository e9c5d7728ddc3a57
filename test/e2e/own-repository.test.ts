import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createForge } from '../../demo/forge.ts';
import { createSample } from '../../demo/sample.ts';
import { runCommand } from '../commands/run-command.ts';
import { startController } from '../support/controller.ts';
import { startSmee } from '../support/smee.ts';
import { until } from '../support/until.ts';

const REPOSITORY = 'acme/storefront';

test('init, serve --tunnel, hooks ensure and a push deploy a repository without a public address', async (context) => {
  const forge = await createForge({ repositories: [REPOSITORY] });
  context.after(() => forge.close());
  const smee = await startSmee({ sendsRawBody: false });
  context.after(() => smee.close());
  const sample = await createSample(forge, REPOSITORY, { 'deploy.sh': 'echo "it is out"\n' });
  context.after(() => sample.close());
  const { directory } = sample;

  const init = await runCommand(['init'], { directory });
  assert.equal(init.code, 0, init.stderr);
  const spec = join(directory, 'deployments/storefront.yaml');
  const controller = await startController({
    forge,
    specs: { 'storefront.yaml': await readFile(spec, 'utf8') },
    env: { MAINSHEET_TUNNEL: `${smee.url}/new` },
  });
  context.after(() => controller.remove());
  await controller.logged({ msg: 'the tunnel is open' });

  const ensured = await runCommand(['hooks', 'ensure'], {
    directory,
    env: {
      GITHUB_API_URL: forge.url,
      GITHUB_TOKEN: forge.token,
      GITHUB_WEBHOOK_SECRET: controller.secret,
      MAINSHEET_DATA_DIR: controller.dataDir,
      MAINSHEET_DEPLOYMENTS: controller.specsDir,
    },
  });
  assert.match(ensured.stdout, /^✓ acme\/storefront: made \(push\)/, ensured.stderr);

  const sha = await sample.commit({ files: { VERSION: '1' }, message: 'Deploy the ünlikely "x"' });
  await sample.push('main');
  const status = await until('GitHub shows that it is deployed', async () =>
    (await forge.statuses(REPOSITORY, sha)).find(({ state }) => state === 'success'),
  );
  assert.equal(status['context'], 'mainsheet/storefront');
  assert.deepEqual(forge.problems(), []);
});
