import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { samplePreview } from '../store/samples.ts';
import { until } from '../support/until.ts';
import { pushPayload } from './payloads.ts';
import { runCommand } from './run-command.ts';
import { startServer, WEBHOOK_SECRET, type TestServer } from './server.ts';

const TOKEN = 'the-token-of-the-api';

let server: TestServer;
before(async () => {
  server = await startServer({ token: TOKEN });
});
after(() => server.close());

const here = (more: Record<string, string> = {}) => ({
  env: {
    MAINSHEET_URL: server.url,
    MAINSHEET_ADMIN_TOKEN: TOKEN,
    GITHUB_WEBHOOK_SECRET: WEBHOOK_SECRET,
    ...more,
  },
});

/** Pushes, and gives the id of the run that waits because of it. */
async function pushed(sha: string): Promise<string> {
  const { code } = await runCommand(['send', 'push', '--payload', '-'], {
    ...here(),
    stdin: JSON.stringify(pushPayload({ sha: sha.repeat(40) })),
  });
  assert.equal(code, 0);
  return await until('the run is there', async () => {
    const { items } = await server.store.runs.list(
      { limit: 1, before: undefined },
      { sha: sha.repeat(40) },
    );
    return items[0]?.id;
  });
}

/** Sees a run to its end, as a runner would. */
async function finished(
  id: string,
  end: 'succeed' | 'fail',
  reason = 'exit code 1',
): Promise<void> {
  const run = await server.store.runs.get(id);
  assert.ok(run);
  const running = await server.transitions.commit(run, { type: 'start' });
  await server.transitions.commit(
    running,
    end === 'succeed' ? { type: 'succeed', outputs: {} } : { type: 'fail', fault: 'step', reason },
  );
}

test('runs are listed newest first, in columns, and filtered', async () => {
  const first = await pushed('1');
  await finished(first, 'fail', 'Build failed:\n\u001b[2Jexit code 1');
  const second = await pushed('2');
  const { code, stdout, stderr } = await runCommand(['runs'], here());
  assert.equal(code, 0);
  assert.equal(stderr, '');
  const [heading, ...rows] = stdout.trimEnd().split('\n');
  assert.match(
    heading ?? '',
    /^RUN +STATE +SPEC +ENVIRONMENT +REF +COMMIT +CAUSE +AGE +TOOK +REASON$/,
  );
  assert.equal(rows.length, 2);
  assert.match(
    rows[0] ?? '',
    new RegExp(`^${second}  queued  +storefront  production +main +2222222`),
  );
  assert.match(rows[1] ?? '', new RegExp(`^${first}  failed .* Build failed: exit code 1$`));

  const failed = await runCommand(['runs', '--state', 'failed'], here());
  assert.match(failed.stdout, new RegExp(first));
  assert.doesNotMatch(failed.stdout, new RegExp(second));
  const none = await runCommand(['runs', '--spec', 'other'], here());
  assert.deepEqual(none, { code: 0, stdout: '', stderr: 'no runs\n' });
  const all = await runCommand(['runs', '--repository', 'ACME/storefront', '--json'], here());
  assert.equal(JSON.parse(all.stdout).items.length, 2);
});

test('a list goes on where its page ended', async () => {
  const one = await runCommand(['runs', '--limit', '1', '--json'], here());
  const { items, next } = JSON.parse(one.stdout);
  assert.equal(items.length, 1);
  const rest = await runCommand(['runs', '--cursor', next, '--json'], here());
  assert.equal(JSON.parse(rest.stdout).items.length, 1);
  assert.match((await runCommand(['runs', '--limit', '1'], here())).stderr, /more: --cursor /);
});

test('one run is shown by its id, with its steps', async () => {
  const id = await pushed('9');
  await finished(id, 'fail', 'exit code 1: no room left on the device');
  const narrow = await runCommand(['runs', id], { ...here({ NO_COLOR: '1' }), columns: 40 });
  const { code, stdout, stderr } = await runCommand(['runs', id], here());
  assert.equal(code, 0);
  assert.match(narrow.stdout, / no room left on the device\n/);
  assert.match(
    stdout,
    new RegExp(
      `^RUN .*\\n${id}  failed .* on the device\\n\\nSTEP +STATE +TOOK +REASON\\n\\S+ +\\w+ `,
    ),
  );
  assert.equal(stdout.split('\n').length, 6);
  assert.equal(stderr, `its log: mainsheet logs ${id}\n`);
  const json = await runCommand(['runs', id, '--json'], here());
  assert.partialDeepStrictEqual(JSON.parse(json.stdout), { id, state: 'failed', steps: [{}] });
  const both = await runCommand(['runs', id, '--state', 'failed'], here());
  assert.deepEqual([both.code, both.stderr.includes('by its id and nothing else')], [2, true]);
  assert.equal((await runCommand(['runs', 'no-such-run'], here())).code, 3);
});

test('on a terminal states are coloured and lines fit; with NO_COLOR they only fit', async () => {
  const wide = { columns: 120 };
  const coloured = await runCommand(['runs'], { ...here(), ...wide });
  assert.match(coloured.stdout, /\u001b\[31mfailed/);
  const plain = await runCommand(['runs'], { ...here({ NO_COLOR: '1' }), ...wide });
  assert.doesNotMatch(plain.stdout, /\u001b/);
  for (const line of plain.stdout.trimEnd().split('\n')) assert.ok(line.length <= 120, line);
});

test('specs, environments and deliveries are listed, in columns or as JSON', async () => {
  const id = await pushed('6');
  await finished(id, 'succeed');
  const list = async (...argv: string[]) => {
    const { code, stdout, stderr } = await runCommand(argv, here());
    assert.equal(code, 0, stderr);
    return stdout;
  };
  assert.match(
    await list('specs'),
    /^NAME .*\nstorefront +acme\/storefront +production +\S+ +push +- +storefront\.yaml\n$/,
  );
  assert.match((await runCommand(['specs'], here())).stderr, /^from \S+\n$/);
  assert.match(
    await list('environments'),
    new RegExp(`^ENVIRONMENT .*\\nproduction +storefront +6666666 +main +\\S+ +${id}\\n$`),
  );
  const [, newest] = (await list('deliveries', '--limit', '1')).split('\n');
  assert.match(newest ?? '', /^\S+ +push +acme\/storefront +processed +\S+ +Deploying storefront$/);
  for (const what of ['specs', 'environments', 'deliveries']) {
    assert.ok(JSON.parse(await list(what, '--json')).items.length > 0, what);
  }
});

test('a commit is deployed by hand, and what the server cannot know is asked for', async () => {
  const { code, stdout } = await runCommand(['deploy', 'storefront', 'topic'], here());
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^run (\S+) deploys storefront at bbbbbbb \(topic\); watch it with "mainsheet logs -f \1"/,
  );
  const unknown = await runCommand(['deploy', 'other'], here());
  assert.equal(unknown.code, 3);
  assert.match(unknown.stderr, /there is no deployment spec other\n {2}hint: "mainsheet specs"/);
});

test('a run that waits can be cancelled, retried, and never cancelled twice', async () => {
  const id = await pushed('3');
  const cancelled = await runCommand(['cancel', id], here());
  assert.equal(cancelled.code, 0, cancelled.stderr);
  assert.equal(cancelled.stdout, `run ${id} of storefront is cancelled\n`);

  const again = await runCommand(['cancel', id], here());
  assert.equal(again.code, 3);
  assert.match(again.stderr, /is cancelled: there is nothing to cancel\n {2}hint: /);

  const retried = await runCommand(['retry', id, '--json'], here());
  assert.equal(retried.code, 0, retried.stderr);
  const run = JSON.parse(retried.stdout);
  assert.notEqual(run.id, id);
  assert.deepEqual([run.state, run.cause, run.sha], ['queued', 'retry', '3'.repeat(40)]);
  const told = await runCommand(['retry', id], here());
  assert.match(
    told.stdout,
    /^run \S+ of storefront at 3333333 is superseded\. Superseded by .+; watch it with/,
  );
});

test('a rollback deploys what was deployed before, and why is kept with the pause that follows', async () => {
  await finished(await pushed('4'), 'succeed');
  const bad = await pushed('5');
  await finished(bad, 'succeed');
  const why = ['--reason', 'the cart is empty'];
  const { code, stdout, stderr } = await runCommand(['rollback', bad, ...why], here());
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /^run \S+ takes storefront back to 4444444; watch it with "mainsheet logs -f/,
  );
  const { stdout: paused } = await runCommand(['pauses'], here());
  assert.match(paused, /rolled back to 4444444: the cart is empty$/m);
});

test('previews are listed with what is left over of them', async () => {
  const { stdout: none } = await runCommand(['previews', '--json'], here());
  assert.deepEqual(JSON.parse(none), { items: [], next: null });
  await server.store.previews.note(
    samplePreview({
      state: 'ending',
      notedAt: Date.now(),
      reason: 'its spec is gone',
      delivery: 'teardown:preview:r1',
    }),
  );
  const { stdout } = await runCommand(['previews'], here());
  assert.match(
    stdout,
    /^preview +acme\/storefront#7 +left +aaaaaaa +\S+ +1970-01-01T00:00:00.000Z +its spec is gone$/m,
  );
});

test('a run that is not there is said so', async () => {
  for (const command of ['cancel', 'retry', 'rollback', 'logs']) {
    const { code, stderr } = await runCommand([command, 'nowhere'], here());
    assert.equal(code, 3);
    assert.match(stderr, /there is no run nowhere\n {2}hint: "mainsheet runs"/);
  }
});

test('without the token the answer says how to give it, and a wrong one is never printed', async () => {
  const { code, stderr } = await runCommand(['runs'], here({ MAINSHEET_ADMIN_TOKEN: 'wrong-one' }));
  assert.equal(code, 3);
  assert.match(stderr, /the bearer token is missing or wrong\n {2}hint: .*MAINSHEET_ADMIN_TOKEN/);
  assert.doesNotMatch(stderr, /wrong-one/);
});
