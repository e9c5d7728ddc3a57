import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { systemClock } from '../../src/lib/clock.ts';
import { handOver, type SystemUser } from '../../src/lib/hand-over.ts';
import { createSeal, SEAL_KEY_BYTES } from '../../src/lib/seal.ts';
import { cleanText } from '../../src/lib/clean-text.ts';
import { parseSpecs } from '../../src/spec/load.ts';
import type { TerraformStepSpec } from '../../src/spec/steps/terraform.ts';
import type { StepResult } from '../../src/steps/contract.ts';
import { createPlanFiles } from '../../src/steps/plan-files.ts';
import { createRunProgram } from '../../src/steps/run-program.ts';
import { findShell } from '../../src/steps/shell.ts';
import { createTerraformStep } from '../../src/steps/terraform.ts';
import { configuration, noTerraform } from '../support/terraform.ts';
import { until } from '../support/until.ts';
import { isAlive } from './support.ts';

async function setUp(
  t: TestContext,
  variable = 'variable "name" {}',
  options: { user?: SystemUser; path?: string } = {},
) {
  const root = await mkdtemp(join(tmpdir(), 'mainsheet-terraform-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const state = join(root, options.user === undefined ? '.' : 'home', 'state.tfstate');
  const directory = join(root, 'checkout');
  const plansIn = join(root, 'plans');
  await mkdir(join(directory, 'infra'), { recursive: true });
  await writeFile(join(directory, 'infra', 'main.tf'), configuration(state, 'var.name', variable));
  const plans = createPlanFiles(plansIn, createSeal(randomBytes(SEAL_KEY_BYTES)));
  const shell = await findShell();
  const { user } = options;
  if (user !== undefined) {
    await chmod(root, 0o711);
    await handOver(directory, user);
    await mkdir(join(root, 'home'));
    await handOver(join(root, 'home'), user);
  }
  const kind = createTerraformStep({
    runProgram: createRunProgram({ clock: systemClock, shell, user, killGraceMs: 10_000 }),
    user,
    plans,
    clock: systemClock,
  });
  const disk: { kept?: string | undefined } = {};
  const lines: string[] = [];
  let attempt = 0;
  return {
    root,
    directory,
    plansIn,
    disk,
    log: () => lines.join(''),
    write: (text: string) => writeFile(join(directory, 'infra', 'main.tf'), text),
    state: async () => await readFile(state, 'utf8').catch(() => ''),
    stateFile: state,
    /** As the pipeline runs it; `dies`: the process dies once it has kept something. */
    async run(
      written = '{ path: infra, vars: { name: "${{ run.sha }}" } }',
      how: { approved?: string; sha?: string; dies?: boolean; signal?: AbortSignal } = {},
    ): Promise<StepResult> {
      const text = `name: x\nrepository: a/b\non: push\nsteps:\n  - terraform: ${written}\n`;
      const { specs, problems } = parseSpecs('x.yaml', text);
      assert.deepEqual(problems, []);
      const step = specs[0]?.spec.steps[0];
      assert.ok(step?.kind === 'terraform');
      attempt += 1;
      const result = await kind({
        step: step as TerraformStepSpec,
        attemptId: 'r1-1-1',
        directory,
        scratch: join(root, `scratch-${attempt}`),
        env: {
          PATH: options.path ?? process.env['PATH'] ?? '',
          HOME: join(root, 'home'),
          MAINSHEET_RUN_ID: 'run1',
        },
        written: {},
        values: { run: { sha: how.sha ?? 'abc' } },
        secrets: {},
        kept: disk.kept,
        approved: how.approved,
        logAndKeep: async () => {},
        async keep(kept) {
          disk.kept = kept;
          if (how.dies === true) throw new Error('the process has died');
        },
        log: (_stream, line) => lines.push(line),
        signal: how.signal ?? new AbortController().signal,
        timeoutMs: 60_000,
      });
      if (result.outcome === 'waiting') disk.kept = result.kept;
      return result;
    },
  };
}

const idOf = (result: StepResult) => {
  assert.ok(result.outcome === 'waiting', JSON.stringify(result));
  return result.id;
};

describe('a terraform step', { skip: noTerraform }, () => {
  test('plans, waits with what the plan changes, and applies that very plan', async (t) => {
    const { run, log, state, plansIn } = await setUp(t);
    const waiting = await run();
    assert.ok(waiting.outcome === 'waiting');
    assert.equal(waiting.detail, '1 to add, 0 to change, 0 to destroy');
    assert.match(cleanText(log()), /\+ resource "terraform_data" "one" \{[^}]*"abc"/);
    assert.match(log(), /\u001b\[32m\+\u001b\[0m/, 'the log has it in its colours');
    assert.equal(await state(), '', 'nothing is applied yet');
    // What is planned is applied, whatever would be planned now.
    const applied = await run(undefined, { approved: waiting.id, sha: 'later' });
    assert.deepEqual(applied, { outcome: 'succeeded', exitCode: 0, outputs: {} });
    assert.match(await state(), /"abc"/);
    assert.doesNotMatch(await state(), /later/);
    assert.deepEqual(await readdir(plansIn), []);
  });

  test('what changes nothing is over at once, unless people are always to be asked', async (t) => {
    const { run, disk } = await setUp(t);
    await run(undefined, { approved: idOf(await run()) });
    delete disk.kept;
    assert.equal((await run()).outcome, 'succeeded');
    const waiting = await run('{ path: infra, approve: always, vars: { name: abc } }');
    assert.ok(waiting.outcome === 'waiting');
    assert.equal(waiting.detail, 'no changes');
  });

  test('with approve: never it is applied at once', async (t) => {
    const { run, state } = await setUp(t);
    assert.equal(
      (await run('{ path: infra, approve: never, vars: { name: abc } }')).outcome,
      'succeeded',
    );
    assert.match(await state(), /"abc"/);
  });

  test('what is sensitive is in neither the log nor, readable, the plan that is kept', async (t) => {
    const { run, log, plansIn } = await setUp(t, 'variable "name" { sensitive = true }');
    await run('{ path: infra, vars: { name: hunter2 } }');
    assert.match(log(), /\(sensitive value\)/);
    assert.doesNotMatch(log(), /hunter2/);
    const [name = ''] = await readdir(plansIn);
    const kept = await readFile(join(plansIn, name), 'utf8');
    assert.doesNotMatch(Buffer.from(kept, 'base64').toString('latin1'), /^PK\x03\x04|UEsD|tfplan/);
  });

  test('an approval of another plan applies nothing', async (t) => {
    const { run, state } = await setUp(t);
    const first = idOf(await run());
    const second = idOf(
      await run(undefined, { approved: 'run1.00000000-0000-0000-0000-000000000000' }),
    );
    assert.notEqual(first, second);
    assert.equal(await state(), '');
  });

  test('a plan that is lost is made again, and needs approval again', async (t) => {
    const { run, log, plansIn, state } = await setUp(t);
    const id = idOf(await run());
    await rm(plansIn, { recursive: true });
    assert.notEqual(idOf(await run(undefined, { approved: id })), id);
    assert.match(log(), /not on this machine: planning again/);
    assert.equal(await state(), '');
  });

  for (const approve of ['changes', 'never']) {
    test(`with approve: ${approve}, an apply that was cut short is not repeated: what is left needs approval`, async (t) => {
      const { run, log, state } = await setUp(t);
      const written = `{ path: infra, approve: ${approve}, vars: { name: abc } }`;
      const first = approve === 'changes' ? idOf(await run(written)) : '';
      await assert.rejects(run(written, { approved: first, dies: true }), /died/);
      // The approval was for what was cut short.
      const second = idOf(await run(written, { approved: first }));
      assert.match(log(), /stopped while a plan was applied/);
      assert.equal(await state(), '');
      assert.equal((await run(written, { approved: second })).outcome, 'succeeded');
      assert.match(await state(), /"abc"/);
    });
  }

  test('an apply that was over when the process died is not done again', async (t) => {
    const { run, disk, state } = await setUp(t);
    const written = '{ path: infra, approve: never, vars: { name: abc } }';
    await run(written);
    const before = await state();
    assert.equal(disk.kept, JSON.stringify({ phase: 'applying' }));
    assert.equal((await run(written)).outcome, 'succeeded');
    assert.equal(await state(), before);
  });

  test('a plan of a state that was changed since is refused', async (t) => {
    const { run, disk } = await setUp(t);
    const id = idOf(await run());
    const { kept } = disk;
    delete disk.kept;
    await run('{ path: infra, approve: never, vars: { name: other } }');
    disk.kept = kept;
    const result = await run(undefined, { approved: id });
    assert.ok(result.outcome === 'failed');
    assert.equal(result.reason, 'terraform apply: Saved plan is stale, exit code 1');
  });

  test('a mistake in the configuration fails the step with its error', async (t) => {
    const { run, write } = await setUp(t);
    await write('resource "terraform_data" "one" { input = var.missing }');
    const result = await run();
    assert.ok(result.outcome === 'failed');
    assert.equal(
      result.reason,
      'terraform plan: Reference to undeclared input variable, exit code 1',
    );
  });

  test('its workspace is made, and a name that could be an option is none', async (t) => {
    const { run, log } = await setUp(t);
    const written =
      '{ path: infra, approve: never, workspace: "${{ run.sha }}", vars: { name: x } }';
    assert.equal((await run(written)).outcome, 'succeeded');
    assert.match(log(), /Created and switched to workspace "abc"/);
    const bad = await run(written, { sha: '-help' });
    assert.ok(bad.outcome === 'failed');
    assert.match(bad.reason, /a workspace has/);
  });

  test(
    "as the steps' own user it reads and writes what it has to",
    { skip: process.getuid?.() === 0 ? false : 'only root can run steps as another user' },
    async (t) => {
      const { run, state } = await setUp(t, undefined, { user: { uid: 65_534, gid: 65_534 } });
      assert.equal((await run(undefined, { approved: idOf(await run()) })).outcome, 'succeeded');
      assert.match(await state(), /"abc"/);
    },
  );

  test('a folder that a link leads out of the checkout is refused', async (t) => {
    const { run, directory, root } = await setUp(t);
    await symlink(root, join(directory, 'out'));
    const result = await run('{ path: out }');
    assert.ok(result.outcome === 'failed');
    assert.equal(result.reason, 'the checkout has no folder out');
  });

  test('a cancelled step ends what runs', async (t) => {
    const { run, write, stateFile, root } = await setUp(t);
    const pidFile = join(root, 'pid');
    await write(
      configuration(
        stateFile,
        '"x"',
        `resource "terraform_data" "slow" {
          provisioner "local-exec" { command = "echo $$ > ${pidFile}; exec sleep 1000" }
        }`,
      ),
    );
    const stop = new AbortController();
    const running = run('{ path: infra, approve: never }', { signal: stop.signal });
    const pid = await until('it is applied', async () => Number(await readFile(pidFile, 'utf8')));
    stop.abort({ kind: 'cancel', reason: 'Cancelled by admin' });
    assert.deepEqual(await running, { outcome: 'cancelled', reason: 'Cancelled by admin' });
    assert.equal(isAlive(pid), false);
  });
});

test('a state that is locked is told with who has the lock, and how to free it', async (t) => {
  const bin = await mkdtemp(join(tmpdir(), 'mainsheet-terraform-'));
  t.after(() => rm(bin, { recursive: true, force: true }));
  // What Terraform 1.11 prints.
  const said = `
Error: Error acquiring the state lock

Error message: resource temporarily unavailable
Lock Info:
  ID:        0c2bd1d6-4a1a-8e4a-7f3b-2c2a5e1f3a10
  Path:      terraform.tfstate
  Operation: OperationTypePlan
  Who:       alice@laptop
`;
  const script = `#!/bin/sh\n[ "$1" = init ] && exit 0\ncat >&2 <<'END'\n${said}\nEND\nexit 1\n`;
  await writeFile(join(bin, 'terraform'), script, { mode: 0o755 });
  const { run } = await setUp(t, undefined, { path: `${bin}:/usr/bin:/bin` });
  const result = await run();
  assert.ok(result.outcome === 'failed');
  assert.equal(
    result.reason,
    'terraform plan: the state is locked by alice@laptop: wait for its end, or if that is gone, free it: terraform force-unlock 0c2bd1d6-4a1a-8e4a-7f3b-2c2a5e1f3a10; exit code 1',
  );
  const missing = await run('{ path: infra, program: tofu }');
  assert.ok(missing.outcome === 'failed');
  assert.equal(missing.reason, 'there is no tofu on the PATH');
});

test('what a program prints is looked through in no more time than it took to print', async (t) => {
  const bin = await mkdtemp(join(tmpdir(), 'mainsheet-terraform-'));
  t.after(() => rm(bin, { recursive: true, force: true }));
  const script = `#!/bin/sh
echo "Error: no room" >&2
yes "" | head -n 100000 >&2
yes "\u2028" | head -n 90000 | tr -d '\\n' >&2
exit 1
`;
  await writeFile(join(bin, 'terraform'), script, { mode: 0o755 });
  const { run } = await setUp(t, undefined, { path: `${bin}:/usr/bin:/bin` });
  const before = process.cpuUsage();
  const result = await run();
  const { user } = process.cpuUsage(before);
  assert.ok(result.outcome === 'failed');
  assert.equal(result.reason, 'terraform init: no room, exit code 1');
  assert.ok(user < 4_000_000, `${user} µs of CPU time`);
});

test('a cancelled step gives Terraform, and nothing that it has started, one SIGINT and the time to save its state', async (t) => {
  const bin = await mkdtemp(join(tmpdir(), 'mainsheet-terraform-'));
  t.after(() => rm(bin, { recursive: true, force: true }));
  const file = (name: string) => join(bin, name);
  // A provider that is sent SIGTERM dies in the midst of its work.
  const provider = `trap 'echo SIGTERM > ${file('provider')}; exit' TERM; while :; do sleep 0.05; done`;
  const script = `#!/bin/sh
[ "$1" = plan ] && exit 2
[ "$1" = apply ] || exit 0
trap 'kill -KILL $provider; echo >> ${file('saved')}; exit 1' INT
sh -c ${JSON.stringify(provider)} &
provider=$!
touch ${file('begun')}
while :; do sleep 0.05; done
`;
  await writeFile(file('terraform'), script, { mode: 0o755 });
  const { run } = await setUp(t, undefined, { path: `${bin}:/usr/bin:/bin` });
  const stop = new AbortController();
  const running = run('{ path: infra, approve: never }', { signal: stop.signal });
  await until('it is applied', () => existsSync(file('begun')));
  stop.abort({ kind: 'cancel', reason: 'Cancelled by admin' });
  assert.deepEqual(await running, { outcome: 'cancelled', reason: 'Cancelled by admin' });
  assert.equal(await readFile(file('saved'), 'utf8'), '\n');
  assert.equal(existsSync(file('provider')), false);
});
