import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createWorld, SITE } from '../support/world.ts';

const NOBODY = 65_534;
const SPEC = `
name: storefront
repository: ${SITE}
on: { push: { branches: [main] } }
steps: [{ run: 'echo "deployed $MAINSHEET_SHA"' }]
`;

test(
  'scratch files that cannot be removed at the start keep neither the start nor a run',
  { skip: process.getuid?.() !== 0 && 'only root can make what others cannot remove' },
  async () => {
    const world = await createWorld({ specs: { 'storefront.yaml': SPEC }, uid: NOBODY });
    const { controller, forge, sample } = world;
    try {
      await controller.stop();
      const left = join(controller.dataDir, 'scratch', 'left', 'by-root');
      await mkdir(left, { recursive: true });
      await writeFile(join(left, 'file'), '');
      await controller.restart();
      await controller.logged({ msg: 'leftover scratch files cannot be removed' });
      forge.hook({ url: controller.webhookUrl, secret: controller.secret });
      const sha = await sample.commit({ message: 'change' });
      await sample.push('main');
      assert.equal((await world.ended(sha)).state, 'succeeded');
    } finally {
      await world.close();
    }
  },
);
