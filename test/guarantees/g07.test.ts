import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createWorld, SITE, type World } from '../support/world.ts';

/** Runs on every branch and tag, and uses everything hostile the way a careful author would. */
const SPEC = `
name: any
repository: ${SITE}
on: { push: { branches: ["**"], tags: ["**"] } }
env: { MESSAGE: "\${{ event.head_commit.message }}" }
steps:
  - name: Show
    run: |
      printf 'branch=[%s]\\n' "$MAINSHEET_BRANCH"
      printf 'message=[%s]\\n' "$MESSAGE"
      git log -1 --format=%H
      git status --porcelain
`;

let world: World;
let outside: string;
before(async () => {
  outside = await mkdtemp(join(tmpdir(), 'mainsheet-outside-'));
  await writeFile(join(outside, 'precious'), 'untouched');
  world = await createWorld({ specs: { 'any.yaml': SPEC } });
});
after(async () => {
  await world.close();
  await rm(outside, { recursive: true, force: true });
});

/** What an executed payload would leave: each of them tries to make `pwned` in some directory or other. */
async function assertNothingExecuted(): Promise<void> {
  const places = [
    process.cwd(),
    tmpdir(),
    outside,
    world.controller.dataDir,
    world.controller.specsDir,
  ];
  for (const place of places) {
    assert.ok(!existsSync(join(place, 'pwned')), `nothing was executed in ${place}`);
  }
  const found = await readdir(world.controller.dataDir, { recursive: true });
  assert.deepEqual(
    found.filter((name) => /(^|\/)pwned$/.test(name)),
    [],
  );
  assert.deepEqual(await readdir(outside), ['precious']);
}

describe('G7 no payload value is ever parsed by a shell, by git as an option, or as a path outside its checkout', () => {
  const branches = [
    '--upload-pack=touch${IFS}pwned',
    '-c/core.fsmonitor=touch${IFS}pwned',
    '$(touch${IFS}pwned)',
    '`touch${IFS}pwned`',
    ';touch${IFS}pwned;',
    'a"&&touch${IFS}pwned&&"',
    "a'|touch${IFS}pwned|'",
    '${{secrets.TOKEN}}',
    'ünïcode/…/😀',
  ];

  for (const branch of branches) {
    test(`a branch called ${branch} is only ever a name`, async () => {
      await world.sample.git('checkout', '--quiet', '--detach', 'main');
      await world.sample.git('commit', '--quiet', '--allow-empty', `--message=on ${branch}`);
      const sha = await world.sample.git('rev-parse', 'HEAD');
      await world.sample.push(`HEAD:refs/heads/${branch}`);
      const run = await world.ended(sha);
      assert.equal(run.state, 'succeeded', run.reason);
      assert.ok((await world.log(run.id)).includes(`branch=[${branch}]`));
      await assertNothingExecuted();
    });
  }

  test('a branch name with a newline is refused with a reason, and nothing runs', async () => {
    const delivery = await craftPush({ ref: 'refs/heads/a\ntouch pwned\n' });
    const { summary } = await world.explained(delivery.id);
    assert.match(summary, /^Not deployed: /);
    await assertNothingExecuted();
  });

  test('a commit that is an option is refused with a reason, and nothing runs', async () => {
    const delivery = await craftPush({ after: '--upload-pack=touch pwned' });
    assert.match((await world.explained(delivery.id)).summary, /^Not deployed: /);
    await assertNothingExecuted();
  });

  test('a repository name that leaves the data directory is refused with a reason', async () => {
    const payload = await aPayload();
    const repository = { ...(payload['repository'] as object), full_name: '../../outside/x' };
    const delivery = await craftPush({ repository });
    assert.match((await world.explained(delivery.id)).summary, /^Not deployed: /);
    await assertNothingExecuted();
  });

  test('a commit message with backticks, quotes and templates is only ever text', async () => {
    const message =
      'x `touch pwned` $(touch pwned) "; touch pwned; \' ${{ secrets.TOKEN }} {{event}}';
    await world.sample.git('checkout', '--quiet', 'main');
    const sha = await world.sample.commit({ message });
    await world.sample.push('main');
    const run = await world.ended(sha);
    assert.equal(run.state, 'succeeded', run.reason);
    assert.ok((await world.log(run.id)).includes(`message=[${message}]`));
    await assertNothingExecuted();
  });

  test('a repository with hooks, ext:: submodules, filters and links out of it executes nothing and escapes nowhere', async () => {
    const touch = `#!/bin/sh\ntouch ${outside}/pwned pwned\n`;
    const sha = await world.sample.commit({
      files: {
        'hooks/post-checkout': { executable: touch },
        '.githooks/post-checkout': { executable: touch },
        '.gitmodules': `[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch% ${outside}/pwned\n[submodule "-u./y"]\n\tpath = y\n\turl = -u./pwned\n`,
        '.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs\n*.txt filter=evil\n',
        '.lfsconfig': `[lfs]\n\turl = file://${outside}\n`,
        'a.bin': 'version https://git-lfs.github.com/spec/v1\n',
        'b.txt': 'text\n',
        'link-to-file': { symlink: join(outside, 'precious') },
        'link-to-directory': { symlink: outside },
      },
      message: 'Hostile',
      branch: 'main',
    });
    await world.sample.push('main');
    assert.equal((await world.ended(sha)).state, 'succeeded');
    await assertNothingExecuted();

    // The next revision replaces the links by a directory and a file of the same names.
    const next = await world.sample.commit({
      files: {
        'link-to-directory': null,
        'link-to-directory/precious': 'mine',
        'link-to-file': 'mine',
      },
      message: 'Through the links',
    });
    await world.sample.push('main');
    assert.equal((await world.ended(next)).state, 'succeeded');
    await assertNothingExecuted();
  });
});

async function aPayload(): Promise<Record<string, unknown>> {
  const { body } = await world.forge.waitForDelivery(({ event }) => event === 'push', 30_000);
  return JSON.parse(body) as Record<string, unknown>;
}

async function craftPush(more: Record<string, unknown>) {
  return await world.forge.deliver('push', { ...(await aPayload()), ...more } as never);
}
