import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { createForge, type Forge } from '../../demo/forge.ts';
import { createSample, type Sample } from '../../demo/sample.ts';
import { asAdmin } from '../support/admin.ts';
import { deafUrl } from '../support/deaf.ts';
import { startBalancer, type Balancer } from '../support/balancer.ts';
import { startController, type Controller } from '../support/controller.ts';
import { startPostgres, type PostgresServer } from '../support/postgres.ts';
import { until } from '../support/until.ts';
import { SITE, type RunView } from '../support/world.ts';

const LANES = ['one', 'two', 'three'];
const LEASE_MS = 3000;
const ENDS = new Set(['succeeded', 'failed', 'cancelled', 'superseded']);

/** Each deploy writes down when it began and ended, and waits for a file in between. */
const spec = (lane: string) => `
name: ${lane}
repository: ${SITE}
on: { push: { branches: [${lane}] } }
concurrency: { queue: all }
secrets: [TEST_DIR]
steps:
  - name: Deploy
    run: |
      echo "begin $MAINSHEET_SPEC $MAINSHEET_RUN_ID" >> "$TEST_DIR/journal"
      echo "deploying"
      until [ -e "$TEST_DIR/open" ] || [ -e "$TEST_DIR/open-$MAINSHEET_SHA" ]; do sleep 0.05; done
      echo "deployed"
      echo "end $MAINSHEET_SPEC $MAINSHEET_RUN_ID" >> "$TEST_DIR/journal"
`;

/** The second step needs what the first has made, and waits. */
const BUILT = `
name: built
repository: ${SITE}
on: { push: { branches: [built] } }
secrets: [TEST_DIR]
steps:
  - name: Build
    run: mkdir build && touch build/site && echo build >> "$TEST_DIR/built"
  - name: Deploy
    run: |
      test -e build/site && echo found >> "$TEST_DIR/built"
      echo deploying
      until [ -e "$TEST_DIR/open" ]; do sleep 0.05; done
`;

let server: PostgresServer;
let directory: string;
let forge: Forge;
let sample: Sample;
let balancer: Balancer;
let replicas: Controller[] = [];

before(async () => {
  server = await startPostgres();
});

after(async () => {
  await server.remove();
});

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainsheet-replicas-'));
  forge = await createForge({ repositories: [SITE] });
  sample = await createSample(forge, SITE, { 'README.md': 'shop\n' });
  balancer = await startBalancer(() => replicas.map(({ url }) => url));
  forge.hook({ url: `${balancer.url}/webhooks/v1/github`, secret: 'e2e-webhook-secret' });
});

afterEach(async () => {
  await Promise.all(replicas.map((replica) => replica.remove()));
  replicas = [];
  await balancer.close();
  await sample.close();
  const problems = forge.problems();
  await forge.close();
  await rm(directory, { recursive: true, force: true });
  assert.deepEqual(problems, [], 'every request fits the API description of GitHub');
});

async function startReplicas(
  count: number,
  databaseUrl?: string,
  more: Record<string, string> = {},
): Promise<void> {
  const env = {
    DATABASE_URL: databaseUrl ?? (await server.database()),
    MAINSHEET_LEASE: `${LEASE_MS / 1000}s`,
    MAINSHEET_CONCURRENCY: '1',
    MAINSHEET_SECRET_TEST_DIR: directory,
    ...more,
  };
  const specs = { 'lanes.yaml': [...LANES.map(spec), BUILT].join('---\n') };
  replicas = await Promise.all(
    Array.from({ length: count }, () => startController({ forge, specs, env })),
  );
}

async function push(branch: string): Promise<string> {
  const sha = await sample.commit({ message: 'change', branch });
  await sample.push(branch);
  return sha;
}

const runsOf = async (replica: Controller, filter = '') =>
  (await replica.get<{ items: RunView[] }>(`/runs?limit=200${filter}`)).items;

const ended = (replica: Controller, sha: string) =>
  until(`the run of ${sha} ended`, async () =>
    (await runsOf(replica, `&sha=${sha}`)).find((run) => ENDS.has(run.state)),
  );

const started = ({ log }: Controller): string[] =>
  log.filter((line) => line['msg'] === 'run started').map((line) => String(line['run']));

/** The replica that runs the commit, and the run. */
const runnerOf = (sha: string) =>
  until('some replica runs it', async () => {
    for (const replica of replicas) {
      const [run] = await runsOf(replica, `&sha=${sha}&state=running`);
      const runner = replicas.find((one) => run !== undefined && started(one).includes(run.id));
      if (run !== undefined && runner !== undefined) return { run, runner };
    }
    return undefined;
  });

/** Lines `begin LANE RUN` and `end LANE RUN`: in a lane no run begins before the one before has ended. */
function assertNoOverlap(journal: string): void {
  const open = new Map<string, string>();
  for (const line of journal.trim().split('\n')) {
    const [what, lane = '', run = ''] = line.split(' ');
    if (what === 'begin') assert.equal(open.get(lane), undefined, `${line} in:\n${journal}`);
    else assert.equal(open.get(lane), run, `${line} in:\n${journal}`);
    if (what === 'begin') open.set(lane, run);
    else open.delete(lane);
  }
  assert.equal(open.size, 0);
}

test('three replicas share the work and no lane overlaps (G3)', async () => {
  await startReplicas(3);
  const shas: string[] = [];
  for (let round = 0; round < 2; round += 1) {
    for (const lane of LANES) shas.push(await push(lane));
  }
  const [first] = replicas;
  assert.ok(first);
  await until('each replica runs one', () =>
    replicas.every((replica) => started(replica).length === 1),
  );
  await writeFile(join(directory, 'open'), '');
  for (const sha of shas) assert.equal((await ended(first, sha)).state, 'succeeded');
  assertNoOverlap(await readFile(join(directory, 'journal'), 'utf8'));
  const shares = replicas.map((replica) => started(replica));
  assert.equal(new Set(shares.flat()).size, shas.length, 'no run was started twice');
  assert.equal(shares.flat().length, shas.length);
  // What any of them knows all of them know, and GitHub knows the end of each.
  for (const replica of replicas) assert.equal((await runsOf(replica)).length, shas.length);
  for (const sha of shas) {
    await until('GitHub knows', async () => {
      const [latest] = await forge.statuses(SITE, sha);
      return latest?.['state'] === 'success';
    });
  }
  const { items } = await first.get<{ items: unknown[] }>('/deliveries?limit=200');
  assert.equal(items.length, shas.length);
});

test('a replica that is started takes nothing from those that work (G3)', async () => {
  const database = await server.database();
  await startReplicas(1, database);
  const [first] = replicas;
  assert.ok(first);
  const under = await push('two');
  const { run } = await runnerOf(under);
  await startReplicas(1, database);
  const [second] = replicas;
  assert.ok(second);
  replicas = [first, second];

  // The first has its hands full, so that the second takes the oldest run that it may.
  const sha = await push('one');
  const { run: next, runner } = await runnerOf(sha);
  assert.equal(runner, second);
  await writeFile(join(directory, 'open'), '');
  for (const one of [sha, under]) assert.equal((await ended(second, one)).state, 'succeeded');
  assert.deepEqual([started(first), started(second)], [[run.id], [next.id]]);
  assertNoOverlap(await readFile(join(directory, 'journal'), 'utf8'));
});

test('the run of a killed replica goes on elsewhere within its lease from its first step, whose files are not there, and its log can be followed anywhere', async () => {
  await startReplicas(2);
  const sha = await push('built');
  const { run, runner } = await runnerOf(sha);
  const other = replicas.find((replica) => replica !== runner);
  assert.ok(other);
  const response = await asAdmin(`${other.url}/api/v1/runs/${run.id}/log`, {
    headers: { accept: 'text/event-stream' },
  });
  let streamed = '';
  const reading = (async () => {
    for await (const chunk of response.body ?? []) streamed += Buffer.from(chunk).toString();
  })();
  await until('the other replica streams the log', () => streamed.includes('deploying\\n'));

  await runner.kill();
  const killedAt = Date.now();
  await until('the other replica takes the run up', () => started(other).includes(run.id));
  assert.ok(Date.now() - killedAt < LEASE_MS + 15_000, `after ${Date.now() - killedAt} ms`);
  await writeFile(join(directory, 'open'), '');
  assert.equal((await ended(other, sha)).state, 'succeeded');
  await reading;
  assert.match(streamed, /event: end\ndata: {"state":"succeeded"}/);
  const lines = (await readFile(join(directory, 'built'), 'utf8')).trim().split('\n');
  assert.deepEqual(lines, ['build', 'found', 'build', 'found']);
});

test('a replica that is asked to stop hands its run over at once, and nothing is lost or done twice (G11)', async () => {
  // Nothing could be taken up before a lease has ended: what goes on was given back.
  await startReplicas(2, undefined, { MAINSHEET_LEASE: '10m', MAINSHEET_SHUTDOWN_GRACE: '50ms' });
  const shas = { one: await push('one'), two: await push('two'), three: await push('three') };
  await until('each replica runs one', () =>
    replicas.every((replica) => started(replica).length === 1),
  );
  const { run, runner } = await runnerOf(shas.one);
  const other = replicas.find((replica) => replica !== runner);
  assert.ok(other);
  await until('its step has begun', async () => {
    const begun = await readFile(join(directory, 'journal'), 'utf8').catch(() => '');
    return begun.includes(`begin one ${run.id}\n`);
  });
  assert.equal(await runner.stop(), 0);
  const handedOver = runner.log.filter(({ msg }) => msg === 'run handed over');
  assert.deepEqual(
    handedOver.map(({ run: id }) => id),
    [run.id],
  );

  await writeFile(join(directory, 'open'), '');
  for (const sha of Object.values(shas)) {
    assert.equal((await ended(other, sha)).state, 'succeeded');
    await until('GitHub knows', async () => {
      const [latest] = await forge.statuses(SITE, sha);
      return latest?.['state'] === 'success';
    });
  }
  assert.deepEqual(started(runner), [run.id]);
  assert.equal(started(other).length, 3);
  const journal = (await readFile(join(directory, 'journal'), 'utf8')).trim().split('\n').sort();
  const all = await runsOf(other);
  const expected = all.flatMap(({ spec: lane, id }) => [
    `begin ${lane} ${id}`,
    `end ${lane} ${id}`,
  ]);
  assert.deepEqual(journal, [...expected, `begin one ${run.id}`].sort());
  const deployments = await forge.deployments(SITE);
  for (const sha of Object.values(shas)) {
    assert.equal(deployments.filter((one) => one['sha'] === sha).length, 1);
  }
});

test('a process on PostgreSQL that is stopped in the middle of a run goes on with its unfinished step', async () => {
  await startReplicas(1, undefined, { MAINSHEET_LEASE: '10m', MAINSHEET_SHUTDOWN_GRACE: '50ms' });
  const [only] = replicas;
  assert.ok(only);
  const built = async () => {
    const text = await readFile(join(directory, 'built'), 'utf8').catch(() => '');
    return text.split('\n').filter((line) => line !== '');
  };
  const sha = await push('built');
  await until('the second step waits', async () => (await built()).length === 2);
  assert.equal(await only.stop(), 0);
  await writeFile(join(directory, 'open'), '');
  await only.restart();
  assert.equal((await ended(only, sha)).state, 'succeeded');
  assert.deepEqual(await built(), ['build', 'found', 'found']);
  assert.equal((await forge.deployments(SITE)).length, 1);
});

test('of several replicas one looks for missed pushes, and when it dies another one does', async () => {
  forge.hook({ url: await deafUrl(), secret: 'e2e-webhook-secret' });
  await startReplicas(2, undefined, {
    MAINSHEET_RECONCILE_INTERVAL: '200ms',
    LOG_LEVEL: 'debug',
    MAINSHEET_CONCURRENCY: '4',
  });
  await writeFile(join(directory, 'open'), '');
  const looks = ({ log }: Controller) =>
    log.filter(({ msg }) => msg === 'branches looked at').length;
  const watching = () => replicas.filter((replica) => looks(replica) > 0);
  await until('one has looked several times', () => watching().some((one) => looks(one) > 5));
  const [first, ...more] = watching();
  assert.ok(first);
  assert.deepEqual(more, [], 'one of them alone');
  const found = await push('one');
  assert.equal((await ended(first, found)).state, 'succeeded');

  const other = replicas.find((replica) => replica !== first);
  assert.ok(other);
  await first.kill();
  const missed = await push('one');
  assert.equal((await ended(other, missed)).state, 'succeeded');
  assert.equal((await runsOf(other)).length, 2, 'each once');

  await first.restart();
  const seen = looks(other);
  await until('the other goes on', () => looks(other) > seen + 5);
  assert.equal(
    first.log.filter(({ msg }) => msg === 'became leader').length,
    1,
    'it does not take back what it has lost',
  );
  await other.stop();
  await until(
    'at a stop it is handed over',
    () => first.log.filter(({ msg }) => msg === 'became leader').length === 2,
  );
});

test('while the database is away intake answers 503, and afterwards everything goes on by itself; a run is cancelled by way of any replica', async () => {
  await startReplicas(2);
  const [first] = replicas;
  assert.ok(first);
  const gated = await push('two');
  const { run } = await runnerOf(gated);

  await server.stop();
  const payload = { ...JSON.parse(forge.deliveries[0]?.body ?? '{}') } as Record<string, unknown>;
  const refused = await forge.deliver('push', payload as never, { id: 'refused-once' });
  assert.equal(refused.status, 503);
  for (const replica of replicas) {
    assert.equal((await fetch(`${replica.url}/readyz?check=store`)).status, 503);
    assert.equal((await fetch(`${replica.url}/healthz`)).status, 200);
  }
  await server.start();
  await until('both are ready again', async () => {
    const answers = await Promise.all(
      replicas.map((replica) => fetch(`${replica.url}/readyz?check=store`)),
    );
    return answers.every(({ ok }) => ok);
  });
  assert.equal((await forge.redeliver('refused-once')).status, 202);
  const sha = await push('one');
  await writeFile(join(directory, `open-${sha}`), '');
  assert.equal((await ended(first, sha)).state, 'succeeded');

  await writeFile(join(directory, `open-${gated}`), '');
  const view = await ended(first, gated);
  assert.equal(view.state, 'succeeded', view.reason);
  assert.equal(view.id, run.id);

  const cancelled = await push('three');
  const { run: last, runner } = await runnerOf(cancelled);
  const other = replicas.find((replica) => replica !== runner);
  assert.ok(other);
  assert.equal((await other.post(`/runs/${last.id}/cancel`)).status, 202);
  assert.equal((await ended(other, cancelled)).state, 'cancelled');
});
