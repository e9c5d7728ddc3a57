import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runCommand } from '../commands/run-command.ts';
import { isAlive } from '../steps/support.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type RunView, type World } from '../support/world.ts';

/** Each deploy waits for a file, so that the test decides when it ends. */
const spec = (name: string, lane = name) => `
name: ${name}
repository: ${SITE}
on: { push: { branches: [${name}] } }
concurrency: { lane: ${lane} }
secrets: [GATE_DIR]
steps: [{ run: 'until [ -e "$GATE_DIR/$MAINSHEET_SHA" ]; do sleep 0.05; done' }]
`;

/** Neither SIGTERM nor a session of their own saves what a step has started. */
const STUBBORN = `
name: stubborn
repository: ${SITE}
on: { push: { branches: [stubborn] } }
secrets: [GATE_DIR]
steps:
  - run: |
      trap '' TERM
      (trap '' TERM; echo $BASHPID > "$GATE_DIR/child"; while :; do sleep 0.05; done) &
      cat > session.sh <<'EOS'
      trap '' TERM
      echo $$ > "$GATE_DIR/$1"
      if [ "$1" = session ]; then setsid bash session.sh grandchild & fi
      while :; do sleep 0.05; done
      EOS
      setsid bash session.sh session &
      echo $$ > "$GATE_DIR/shell"
      while :; do sleep 0.05; done
`;

let world: World;
let gates: string;
before(async () => {
  gates = await mkdtemp(join(tmpdir(), 'mainsheet-gates-'));
  world = await createWorld({
    specs: {
      'operate.yaml': [
        spec('shop'),
        spec('one', 'shared lane'),
        spec('two', 'shared lane'),
        spec('gone'),
        spec('plain'),
        STUBBORN,
      ].join('---\n'),
    },
    env: { MAINSHEET_SECRET_GATE_DIR: gates },
  });
});
after(async () => {
  await world.close();
  await rm(gates, { recursive: true, force: true });
});

const open = (sha: string) => writeFile(join(gates, sha), '');

async function push(branch: string, message: string): Promise<string> {
  const sha = await world.sample.commit({ message, branch });
  await world.sample.push(branch);
  await world.explainedPush(sha);
  return sha;
}

const inState = (sha: string, state: string) =>
  until(`${sha} is ${state}`, async () => (await world.runs(`&sha=${sha}&state=${state}`))[0]);

/** The command line, against the running controller. */
async function mainsheet(...argv: string[]) {
  return await runCommand(argv, { env: { MAINSHEET_URL: world.controller.url } });
}

interface Spec {
  name: string;
  paused: { kind: string; since: string; by: string; reason: string } | null;
}

const specNamed = async (name: string) =>
  (await world.controller.get<{ items: Spec[] }>('/specs')).items.find((one) => one.name === name);

test('a paused spec makes runs that wait, the newest alone; GitHub, explain and the API say why; resume deploys', async () => {
  const runs = await push('shop', 'runs');
  await inState(runs, 'running');
  const response = await world.controller.post('/specs/shop/pause?reason=the%20database%20moves');
  assert.equal(response.status, 200);
  assert.partialDeepStrictEqual(await specNamed('shop'), {
    paused: { kind: 'spec', by: 'admin', reason: 'the database moves' },
  });
  assert.equal((await specNamed('one'))?.paused, null);

  const older = await push('shop', 'older');
  const newer = await push('shop', 'newer');
  assert.equal((await world.ended(older)).state, 'superseded');
  const waiting = await inState(newer, 'blocked');
  const why = /^Paused by admin since \S+ \(spec shop\): the database moves$/;
  assert.match(waiting.reason, why);
  assert.match(await world.statusOf(newer, 'mainsheet/shop', 'pending'), why);
  const told = await mainsheet('explain', waiting.delivery);
  assert.match(told.stdout, /blocked: Paused by admin since \S+ \(spec shop\): the database/);
  assert.match((await world.explained(waiting.delivery)).summary, /^Not yet deployed: shop waits/);
  const metrics = await (await fetch(`${world.controller.url}/metrics`)).text();
  assert.match(metrics, /^mainsheet_paused_specs 1$/m);

  // What ran when the pause began is not touched.
  await open(runs);
  assert.equal((await world.ended(runs)).state, 'succeeded');

  await world.controller.kill();
  await world.controller.restart();
  world.forge.hook({ url: world.controller.webhookUrl, secret: world.controller.secret });
  assert.match((await inState(newer, 'blocked')).reason, why);
  await open(newer);
  const resumed = await world.controller.post('/specs/shop/resume');
  assert.equal(resumed.status, 200);
  const { runs: unblocked } = (await resumed.json()) as { runs: RunView[] };
  assert.deepEqual(
    unblocked.map(({ sha, state }) => [sha, state]),
    [[newer, 'queued']],
  );
  assert.equal((await world.ended(newer)).state, 'succeeded');
  await world.statusOf(newer, 'mainsheet/shop', 'success');
  assert.equal((await specNamed('shop'))?.paused, null);
});

test('a paused lane holds every spec in it; a paused spec does not hold up the others', async () => {
  const paused = await mainsheet('pause', 'shared lane', '--lane', '--reason', 'no room');
  assert.deepEqual(paused, { code: 0, stdout: 'lane shared lane is paused\n', stderr: '' });
  const [one, two] = [await push('one', 'one'), await push('two', 'two')];
  for (const sha of [one, two]) {
    assert.match((await inState(sha, 'blocked')).reason, /\(lane shared lane\): no room$/);
    await open(sha);
  }
  assert.equal((await specNamed('two'))?.paused?.kind, 'lane');

  assert.equal((await mainsheet('pause', 'one')).code, 0);
  const resumed = await mainsheet('resume', 'shared lane', '--lane', '--json');
  assert.equal(resumed.code, 0);
  assert.deepEqual(
    (JSON.parse(resumed.stdout) as { runs: RunView[] }).runs.map(({ sha, state }) => [sha, state]),
    [
      [one, 'blocked'],
      [two, 'queued'],
    ],
  );
  assert.equal((await world.ended(two)).state, 'succeeded');
  await until('the status says why it waits', async () =>
    (await world.statusOf(one, 'mainsheet/one', 'pending')).endsWith('(spec one)'),
  );
  const listed = await mainsheet('pauses');
  assert.match(listed.stdout, /^KIND +NAME +SINCE +BY +REASON\nspec +one +\S+Z +admin$/m);
  assert.match((await mainsheet('resume', 'one')).stdout, /^spec one goes on\nrun \w+ of one is/);
  assert.equal((await world.ended(one)).state, 'succeeded');
  assert.deepEqual(await mainsheet('pauses'), {
    code: 0,
    stdout: '',
    stderr: 'nothing is paused\n',
  });
});

test('what cannot be paused or resumed is refused with exit code 3 and what to do', async () => {
  const unknown = await mainsheet('pause', 'shopp');
  assert.equal(unknown.code, 3);
  assert.match(unknown.stderr, /there is no deployment spec shopp\n.*hint:/);
  const idle = await mainsheet('resume', 'shop');
  assert.equal(idle.code, 3);
  assert.match(idle.stderr, /the spec shop is not paused/);
});

test(
  'cancel ends all that a step has started: what ignores SIGTERM, and sessions of their own',
  { skip: process.platform !== 'linux' },
  async () => {
    const sha = await push('stubborn', 'stubborn');
    const { id } = await inState(sha, 'running');
    const pids = await Promise.all(
      ['shell', 'child', 'session', 'grandchild'].map((name) =>
        until(
          `${name} runs`,
          async () => Number(await readFile(join(gates, name), 'utf8')) || undefined,
        ),
      ),
    );
    assert.ok(pids.every(isAlive));
    const said = await mainsheet('cancel', id);
    assert.deepEqual([said.code, said.stdout], [0, `run ${id} of stubborn is being stopped\n`]);
    const run = await world.ended(sha);
    assert.deepEqual([run.state, run.reason], ['cancelled', 'Cancelled by admin']);
    assert.deepEqual(pids.filter(isAlive), []);
    assert.equal((await mainsheet('cancel', id)).code, 3);
  },
);

test('a replay matches with the specs of today, a retry runs the same again, and each has a run of its own', async () => {
  const sha = await push('plain', 'plain');
  await open(sha);
  const first = await world.ended(sha);
  assert.equal((await mainsheet('retry', first.id, '--json')).code, 0);
  await until('the retry has succeeded', async () => {
    return (await world.runs(`&sha=${sha}&state=succeeded`)).length === 2;
  });
  const file = join(world.controller.specsDir, 'operate.yaml');
  const before = await readFile(file, 'utf8');
  await writeFile(file, before.replace('branches: [plain]', 'branches: [other]'));
  const digest = async () => {
    const { items } = await world.controller.get<{ items: { name: string; digest: string }[] }>(
      '/specs',
    );
    return items.find(({ name }) => name === 'plain')?.digest;
  };
  const old = await digest();
  await until('the spec is another', async () => (await digest()) !== old);
  const nothing = await mainsheet('replay', first.delivery);
  assert.deepEqual([nothing.code, nothing.stdout.slice(0, 13)], [1, 'Not deployed:']);
  await writeFile(file, before);
  await until('the spec is back', async () => (await digest()) === old);
  const again = await mainsheet('replay', first.delivery);
  assert.match(again.stdout, /^Deploying plain\nrun \w+ of plain is queued\n$/);
  await until('it was deployed a third time', async () => {
    return (await world.runs(`&sha=${sha}&state=succeeded`)).length === 3;
  });
});

test('a delivery that is not processed yet is not replayed, so that it makes one run', async () => {
  const file = join(world.controller.specsDir, 'operate.yaml');
  const before = await readFile(file, 'utf8');
  await world.controller.stop();
  await writeFile(file, 'name: [');
  // Without one valid set of specs every delivery waits.
  await world.controller.restart();
  world.forge.hook({ url: world.controller.webhookUrl, secret: world.controller.secret });
  const sha = await world.sample.commit({ message: 'waits', branch: 'plain' });
  await world.sample.push('plain');
  const { id } = await world.forge.waitForDelivery(
    ({ body }) => body.includes(`"after":"${sha}"`),
    30_000,
  );
  const refused = await world.controller.post(`/deliveries/${id}/replay`);
  assert.equal(refused.status, 409);
  assert.equal(((await refused.json()) as { code: string }).code, 'delivery-pending');
  await open(sha);
  await writeFile(file, before);
  await world.ended(sha);
  assert.equal((await world.runs(`&sha=${sha}`)).length, 1);
});

test('dead callbacks are listed, looked at, and sent again one by one or all at once', async () => {
  assert.deepEqual(await mainsheet('outbox'), {
    code: 0,
    stdout: '',
    stderr: 'no callback is dead\n',
  });
  // As it is, and then without what it says beside its state.
  const refuse = () => {
    for (let times = 0; times < 2; times += 1) {
      const answer = { status: 422, body: { message: 'Validation Failed' } };
      world.forge.faults.next({ method: 'POST', path: /\/deployments$/ }, answer);
    }
  };
  refuse();
  const sha = await push('plain', 'refused');
  await open(sha);
  await world.ended(sha);
  await world.statusOf(sha, 'mainsheet/plain', 'success');
  const dead = await until('the Deployment and its last status are dead', async () => {
    const { stdout } = await mainsheet('outbox', '--json');
    const { items } = JSON.parse(stdout) as { items: { id: string; kind: string }[] };
    return (
      items.some(({ kind }) => kind === 'deployment') &&
      items.some(({ kind }) => kind === 'deployment-status') &&
      items
    );
  });
  assert.match((await mainsheet('outbox')).stdout, /^ID +STATE +KIND +TELLS +RUN +TRIES +ERROR\n/);
  const made = dead.find(({ kind }) => kind === 'deployment')?.id ?? '';
  const shown = await mainsheet('outbox', made);
  assert.match(shown.stdout, /^kind +deployment$/m);
  assert.match(shown.stdout, new RegExp(sha));

  // The Deployment alone is asked for; what it should have said comes with it.
  assert.equal((await mainsheet('resend', made)).stdout, `callback ${made} is sent again\n`);
  await until('GitHub shows the Deployment as it ended', async () => {
    const found = (await world.forge.deployments(SITE)).find((one) => one['sha'] === sha);
    return found?.statuses[0]?.['state'] === 'success';
  });
  await world.settled();
  assert.equal((await mainsheet('outbox', '--json')).stdout.includes('"items": []'), true);

  refuse();
  const next = await push('plain', 'refused again');
  await open(next);
  await world.ended(next);
  await until('there are dead ones', async () => (await mainsheet('outbox')).stdout !== '');
  await world.settled();
  assert.match(
    (await mainsheet('resend', '--all')).stdout,
    /^\d+ callbacks? (is|are) sent again\n$/,
  );
  await until('GitHub shows that one, too', async () => {
    const found = (await world.forge.deployments(SITE)).find((one) => one['sha'] === next);
    return found?.statuses[0]?.['state'] === 'success';
  });
  assert.equal((await mainsheet('resend')).code, 2);
  assert.equal((await mainsheet('resend', '999999')).code, 3);
  assert.equal((await mainsheet('rollback', 'unknown')).code, 3);
});

test('rollback on the command line takes a spec or a run back, also to a named run', async () => {
  const shas = [await push('plain', 'older'), await push('plain', 'newer')];
  const [older, newer] = shas;
  assert.ok(older !== undefined && newer !== undefined);
  await Promise.all(shas.map(open));
  await world.ended(newer);
  const { id, state } = await world.ended(older);
  const to =
    state === 'succeeded' ? id : ((await world.runs('&spec=plain&state=succeeded'))[1]?.id ?? '');
  const back = await mainsheet('rollback', 'plain', '--to', to);
  assert.match(
    back.stdout,
    /^run \w+ takes plain back to [0-9a-f]{7}; watch .*\nthe lane plain is paused, so that the next commit does not undo it; "mainsheet resume --lane plain" ends that\n$/,
  );
  const held = await push('plain', 'newest');
  assert.match(
    (await inState(held, 'blocked')).reason,
    /\(lane plain\): rolled back to [0-9a-f]{7}$/,
  );
  assert.equal((await mainsheet('resume', '--lane', 'plain')).code, 0);
  await open(held);
  assert.equal((await world.ended(held)).state, 'succeeded');
  assert.equal((await mainsheet('rollback', 'plain', '--to', 'unknown')).code, 3);
});

test('the pause of a spec outlives the spec: one that comes back is still paused', async () => {
  assert.equal((await mainsheet('pause', 'gone')).code, 0);
  const sha = await push('gone', 'waits');
  await inState(sha, 'blocked');
  const file = join(world.controller.specsDir, 'operate.yaml');
  await writeFile(file, spec('shop'));
  await until('the spec is gone', async () => (await specNamed('gone')) === undefined);
  const { items } = await world.controller.get<{ items: { name: string }[] }>('/pauses');
  assert.deepEqual(
    items.map(({ name }) => name),
    ['gone'],
  );
  await inState(sha, 'blocked');
  await writeFile(file, [spec('shop'), spec('gone')].join('---\n'));
  await until('the spec is back', async () => (await specNamed('gone'))?.paused?.kind === 'spec');
  await open(sha);
  assert.equal((await mainsheet('resume', 'gone')).code, 0);
  assert.equal((await world.ended(sha)).state, 'succeeded');
});
