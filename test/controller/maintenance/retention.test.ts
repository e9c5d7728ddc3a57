import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { systemClock } from '../../../src/lib/clock.ts';
import type { LoadedSpec } from '../../../src/model/deployment-spec.ts';
import { createTidy } from '../../../src/controller/maintenance/retention.ts';
import { createFixture as createGit, silent } from '../../git/fixture.ts';
import { sampleLoaded } from '../../runs/samples.ts';
import { createSeal, SEAL_KEY_BYTES } from '../../../src/lib/seal.ts';
import { createPlanFiles } from '../../../src/steps/plan-files.ts';
import { sampleRun } from '../../store/samples.ts';
import { newStore } from '../../support/new-store.ts';

const MAIN = 'refs/heads/main';
const AT = { pushSeq: 0, seenAt: 1000 };

/** A tidy on a real store, mirrors and work trees; what the specs are is set by the test. */
async function createFixture(t: TestContext) {
  const git = await createGit(t);
  const store = await newStore(join(git.root, 'mainsheet.db'));
  t.after(() => store.close());
  const now = { specs: [sampleLoaded()], stale: false };
  let time = 1000;
  const replica = (specs: { specs: LoadedSpec[]; stale: boolean }) =>
    createTidy({
      store,
      catalog: { current: () => ({ ...specs, problems: [], loadedAt: 1 }) } as never,
      mirrors: git.mirrors,
      checkouts: git.checkouts,
      plans: createPlanFiles(join(git.root, 'plans'), createSeal(randomBytes(SEAL_KEY_BYTES))),
      specRepository: 'Acme/Specs',
      clock: { ...systemClock, now: () => time },
      logger: silent,
    });
  return {
    ...git,
    store,
    now,
    tidy: replica(now),
    replica,
    hour: () => (time += 60 * 60_000),
    see: async (...repositories: string[]) => {
      for (const repository of repositories) {
        await store.branchHeads.see(repository, MAIN, { sha: 'one', ...AT });
        await store.branchHeads.see(repository, 'refs/heads/other', { sha: 'two', ...AT });
      }
    },
    /** How many branches of each are known. */
    known: async (...repositories: string[]) =>
      await Promise.all(
        repositories.map(async (repository) => (await store.branchHeads.of(repository)).size),
      ),
  };
}

test('where the branches of a repository stand is forgotten when no spec of any replica names it any more, and no sooner', async (t) => {
  const { store, see, known, now, tidy, replica, hour } = await createFixture(t);
  now.specs = [sampleLoaded({ name: 'site', repository: 'Acme/Site' })];
  const named = ['acme/site', 'acme/running', 'acme/specs'];
  await store.runs.insert(sampleRun('r1', { repository: 'acme/Running' }), []);
  await see(...named, 'acme/gone');
  const other = { specs: [sampleLoaded({ name: 'gone', repository: 'acme/gone' })], stale: false };
  const another = replica(other);
  const hours = async (count: number) => {
    for (let passed = 0; passed < count; passed += 1, hour()) {
      await Promise.all([tidy(), another()]);
    }
  };
  await hours(9);
  assert.deepEqual(await known(...named, 'acme/gone'), [2, 2, 2, 2]);
  other.stale = true;
  await hours(9);
  assert.deepEqual(await known('acme/gone'), [2], 'a file may just be broken');

  other.specs = [];
  await hours(2);
  assert.deepEqual(
    await known('acme/gone'),
    [2],
    'a replica that is away for a moment may name it',
  );
  await hours(2);
  assert.deepEqual(await known('acme/gone'), [0]);

  now.specs = [];
  await hours(4);
  assert.deepEqual(await known(...named), [0, 2, 2], 'the next look at it is a first one again');
});

test('mirrors and work trees go together with what names them', async (t) => {
  const { repository, commit, checkouts, mirrors, now, tidy } = await createFixture(t);
  const sha = await commit({ a: '1' });
  now.specs = [sampleLoaded({ repository })];
  const { directory } = await checkouts.prepare({ lane: 'main', repository, sha });
  const copies = [directory, mirrors.directoryOf(repository)];
  await tidy();
  for (const copy of copies) await access(copy);

  now.specs = [];
  await tidy();
  for (const copy of copies) await assert.rejects(access(copy), { code: 'ENOENT' });
});

test('nothing is forgotten while the specs on disk cannot be read', async (t) => {
  const { see, known, now, tidy, hour } = await createFixture(t);
  now.specs = [];
  now.stale = true;
  await see('acme/site');
  for (let passed = 0; passed < 9; passed += 1, hour()) await tidy();
  assert.deepEqual(await known('acme/site'), [2]);
});
