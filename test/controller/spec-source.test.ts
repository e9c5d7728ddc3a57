import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createSpecSource } from '../../src/controller/spec-source.ts';
import { createFixture as createGit, silent } from '../git/fixture.ts';
import { until } from '../support/until.ts';

/** Which version of the specs is in use with `@ref`. */
async function inUse(
  git: Awaited<ReturnType<typeof createGit>>,
  ref: string | undefined,
): Promise<string> {
  const { repository, mirrors, checkouts } = git;
  const link = join(git.root, 'specs');
  let loaded = false;
  const source = createSpecSource({
    repository,
    path: 'specs',
    ref,
    link,
    mirrors,
    checkouts,
    catalog: {
      reload: async () => {
        loaded = true;
        return { specs: [], problems: [], stale: false, loadedAt: 1 };
      },
    },
    logger: silent,
  });
  const stopping = new AbortController();
  const running = source.run(stopping.signal);
  await until('the specs are checked out', () => loaded);
  stopping.abort();
  await running;
  return (await readFile(join(link, 'version'), 'utf8')).trim();
}

test('specs come from the default branch, or from the branch, tag or commit that is named', async (t) => {
  const git = await createGit(t);
  await git.commit({ 'specs/version': 'main\n' });
  const tagged = await git.commit({ 'specs/version': 'tagged\n' }, 'trunk');
  await git.git('tag', '--annotate', '--message=x', 'v1', tagged);
  await git.git('push', '--quiet', 'origin', 'refs/tags/v1');
  const middle = await git.commit({ 'specs/version': 'middle\n' }, 'trunk');
  await git.commit({ 'specs/version': 'trunk\n' }, 'trunk');
  await git.serverGit('symbolic-ref', 'HEAD', 'refs/heads/trunk');

  assert.equal(await inUse(git, undefined), 'trunk', 'although there is a main');
  assert.equal(await inUse(git, 'main'), 'main');
  assert.equal(await inUse(git, 'v1'), 'tagged');
  assert.equal(await inUse(git, middle), 'middle');
});
