import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createIntake } from '../../../src/controller/intake/intake.ts';
import { createBroadcast } from '../../../src/lib/broadcast.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import type { Json } from '../../../src/model/event.ts';
import type { LoadedSpec } from '../../../src/model/deployment-spec.ts';
import type { News } from '../../../src/model/news.ts';
import { recordLog } from '../../support/log.ts';
import { sampleLoaded } from '../../runs/samples.ts';
import { sampleDelivery } from '../../store/samples.ts';
import { newStore } from '../../support/new-store.ts';

const REPOSITORY = 'acme/storefront';

/** An intake whose specs deploy `main` of one repository, and no loop that runs. */
async function createFixture(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-settle-'));
  const store = await newStore(join(directory, 'mainsheet.db'));
  t.after(async () => {
    await store.close();
    await rm(directory, { recursive: true });
  });
  const main = { branches: ['main'], branchesIgnore: [], tags: [], tagsIgnore: [] };
  const on = {
    push: { ...main, paths: [], pathsIgnore: [] },
    release: undefined,
    workflowRun: undefined,
  };
  const state = { specs: [sampleLoaded({ on })], problems: [], stale: false, loadedAt: 1 };
  let current = state;
  const use = (...specs: LoadedSpec[]) => void (current = { ...state, specs });
  const news = createBroadcast<News>();
  const fetched: string[] = [];
  const unused = () => assert.fail('nothing has to be asked');
  const { logger, log } = recordLog();
  const intake = createIntake({
    whyNoPlan: () => 'no plans here',
    store,
    rollBack: () => assert.fail('nothing is rolled back here'),
    pressed: () => assert.fail('nothing is pressed here'),
    commented: () => assert.fail('nothing is commented here'),
    catalog: {
      current: () => current,
      forRepository: (name: string) => (name.toLowerCase() === REPOSITORY ? current.specs : []),
    } as never,
    mirrors: { fetch: async (name) => void fetched.push(name), standings: unused },
    resolve: unused,
    ordering: { overtaken: unused },
    transitions: { announce: unused, create: unused } as never,
    apiUrl: 'https://api.github.com',
    leaseMs: 30_000,
    clock: systemClock,
    logger,
    news,
  });
  const see = (id: number, name: string) => store.repositories.namesSeen(id, name, 1);
  return { intake, news, state, use, on, see, fetched, log };
}

const push = (ref: string, repository: { id: number; full_name: string }): Json => ({
  ref,
  before: 'a'.repeat(40),
  after: 'b'.repeat(40),
  repository,
});
const shop = { id: 7, full_name: REPOSITORY };

test('a push that no spec names is settled with the reasons of each spec; one that a spec may deploy is not', async (t) => {
  const { intake, see, use, on } = await createFixture(t);
  await see(7, REPOSITORY);
  const settled = await intake.settle('push', push('refs/heads/feature', shop), 100);
  assert.match(settled?.summary ?? '', /^Not deployed: feature /);
  assert.deepEqual(
    settled?.specs.map(({ spec, verdict, run }) => [spec, verdict.matched, run]),
    [['storefront', false, undefined]],
  );
  const only = { push: undefined, release: { types: ['published'] }, workflowRun: undefined };
  use(sampleLoaded({ name: 'a-release', on: only }), sampleLoaded({ on }));
  assert.match(
    (await intake.settle('push', push('refs/heads/feature', shop), 100))?.summary ?? '',
    /^Not deployed: feature /,
    'not that the other spec is started by releases',
  );
  assert.equal(await intake.settle('push', push('refs/heads/main', shop), 100), undefined);
});

test('pushes of one ref have the same outcome as long as the specs are the same and look at no more than that', async (t) => {
  const { intake, see, use, on } = await createFixture(t);
  await see(7, REPOSITORY);
  await see(7, 'Acme/Storefront');
  const settle = (more: object, ref = 'refs/heads/feature') =>
    intake.settle('push', { ...(push(ref, shop) as object), ...more }, 100);
  const first = await settle({});
  assert.ok(first);
  assert.equal(await settle({ before: 'c'.repeat(40) }), first);

  const reasons = async (...settled: ReturnType<typeof settle>[]) =>
    (await Promise.all(settled)).map((one) => JSON.stringify(one?.specs[0]?.verdict.reasons));
  const commit = (file: string) => ({
    commits: [{ id: 'b'.repeat(40), added: [file], modified: [], removed: [] }],
  });
  const differ = async (...settled: ReturnType<typeof settle>[]) =>
    assert.equal(new Set(await reasons(...settled)).size, settled.length);
  await differ(
    settle({}),
    settle({ deleted: true, after: '0'.repeat(40) }),
    settle({}, 'refs/heads/other'),
    settle({ repository: { ...shop, full_name: 'Acme/Storefront' } }),
  );
  use(sampleLoaded({ on: { ...on, push: { ...on.push, branches: ['release'] } } }));
  await differ(Promise.resolve(first), settle({}));
  use(sampleLoaded({ on: { ...on, push: { ...on.push, paths: ['src/**', 'docs/**'] } } }));
  await differ(settle(commit('src/a.ts')), settle(commit('docs/a.md')), settle(commit('a.ts')));
  use(sampleLoaded({ on, if: 'event.forced' }));
  await differ(settle({ forced: true }), settle({ forced: false }));
  use(sampleLoaded({ on, batch: { windowMs: 1, most: 2, key: 'event.after' } }));
  await differ(settle({}), settle({ after: 'd'.repeat(40) }));
});

test('git is sent for a push that a spec may deploy before it is stored, and for no other', async (t) => {
  const { intake, see, fetched } = await createFixture(t);
  await see(7, REPOSITORY);
  await intake.settle('push', push('refs/heads/feature', shop), 100);
  const gone = {
    ...(push('refs/heads/main', shop) as object),
    deleted: true,
    after: '0'.repeat(40),
  };
  await intake.settle('push', gone, 100);
  assert.deepEqual(fetched, []);
  await Promise.all([
    intake.settle('push', push('refs/heads/main', shop), 100),
    intake.settle('push', push('refs/heads/main', shop), 100),
  ]);
  assert.deepEqual(fetched, [REPOSITORY]);
});

test('without specs, of a repository whose names are not known, or when it is large, a delivery has its turn', async (t) => {
  const { intake, see, state } = await createFixture(t);
  const idle = push('refs/heads/feature', shop);
  assert.equal(await intake.settle('push', idle, 100), undefined);
  await see(7, REPOSITORY);
  assert.equal(await intake.settle('push', idle, 2 * 1024 * 1024), undefined);
  state.loadedAt = 0;
  assert.equal(await intake.settle('push', idle, 100), undefined);
  state.loadedAt = 1;
  assert.ok(await intake.settle('push', idle, 100));
});

test('specs that name a repository as it was called before are asked too', async (t) => {
  const { intake, see } = await createFixture(t);
  await see(7, REPOSITORY);
  await see(7, 'acme/market');
  const market = { id: 7, full_name: 'acme/market' };
  assert.equal(await intake.settle('push', push('refs/heads/main', market), 100), undefined);
  const settled = await intake.settle('push', push('refs/heads/feature', market), 100);
  assert.equal(settled?.specs.length, 1);
});

test('of a delivery that was settled there is news at once', async (t) => {
  const { intake, news } = await createFixture(t);
  const heard: News[] = [];
  news.subscribe((item) => heard.push(item));
  intake.accepted(sampleDelivery('d1', { outcome: { summary: 'Not deployed', specs: [] } }));
  assert.deepEqual(heard, [{ kind: 'delivery', delivery: 'd1', repository: REPOSITORY }]);
});

test('the log warns of a delivery that cannot be read, with its id and the reason, and of no other that decides nothing', async (t) => {
  const { intake, see, log } = await createFixture(t);
  await see(7, REPOSITORY);
  const settle = async (id: string, event: string, payload: Json) => {
    const outcome = await intake.settle(event, payload, 100);
    const more = { event, action: undefined, repository: undefined, receivedAt: 1 };
    intake.accepted({ id, ...more, outcome });
  };
  await settle('d1', 'push', push('refs/heads/feature', shop));
  await settle('d2', 'push', { ...(push('refs/heads/x', shop) as object), after: 'no commit' });
  assert.deepEqual(
    log.flatMap(({ level, delivery, reason }) => (level === 40 ? [[delivery, reason]] : [])),
    [
      [
        'd2',
        'Not deployed: the push payload cannot be read: after is not 40 lower-case hexadecimal digits',
      ],
    ],
  );
});
