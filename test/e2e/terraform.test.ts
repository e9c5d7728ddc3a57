import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { JsonObject } from '../../demo/json.ts';
import { configuration, noTerraform } from '../support/terraform.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

describe('terraform, with the real program and a real controller', { skip: noTerraform }, () => {
  let world: World;
  let root: string;
  const file = (name: string) => join(root, name);
  const stateOf = async (name: string) => await readFile(file(name), 'utf8').catch(() => '');

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'mainsheet-terraform-'));
    const provisioner = (command: string) => `provisioner "local-exec" { command = "${command}" }`;
    // Prints all the while, so that its output has to go somewhere when Mainsheet is dead.
    const slow = `touch ${file('begun')}; until test -e ${file('go')}; do echo tick; sleep 0.05; done`;
    world = await createWorld({
      files: {
        'infra/main.tf': configuration(
          file('infra.tfstate'),
          '"${var.sha} ${var.token}"',
          'variable "sha" {}\nvariable "token" {}',
        ),
        'slow/main.tf': configuration(
          file('slow.tfstate'),
          '"slow"',
          `resource "terraform_data" "first" {\n${provisioner(`echo once >> ${file('applied')}`)}\n}
          resource "terraform_data" "slow" {\ndepends_on = [terraform_data.first]\n${provisioner(slow)}\n}
          resource "terraform_data" "last" {\ndepends_on = [terraform_data.slow]\n}`,
        ),
      },
      specs: {
        'infra.yaml': `
name: infra
repository: ${SITE}
on: { push: { branches: [main] } }
secrets: [TOKEN]
feedback: [status, check]
steps:
  - { name: Before, run: 'echo once >> ${file('before')}' }
  - name: Infra
    terraform: { path: infra, vars: { sha: '\${{ run.sha }}', token: '\${{ secrets.TOKEN }}' } }
  - { name: After, run: 'echo once >> ${file('after')}' }
---
name: slow
repository: ${SITE}
on: { push: { branches: [slow] } }
steps: [{ terraform: { path: slow, approve: never } }]
`,
      },
      env: { MAINSHEET_SECRET_TOKEN: 'hunter2-hunter2' },
      credentials: 'app',
      forge: { app: true },
    });
  });
  after(async () => {
    await world.close();
    await rm(root, { recursive: true, force: true });
  });

  const approve = (run: string) => world.controller.post(`/runs/${run}/approve`);

  async function push(branch: string): Promise<string> {
    const sha = await world.sample.commit({ message: 'change', branch });
    await world.sample.push(branch);
    return sha;
  }

  async function waiting(sha: string) {
    return await until('the run waits', async () => {
      const [run] = await world.runs(`&sha=${sha}`);
      assert.equal(run?.state, 'blocked', run?.reason);
      return run;
    });
  }

  /** What GitHub shows while it waits. */
  async function checkRun(): Promise<JsonObject> {
    return await until('the check run shows the plan', async () => {
      const headers = { authorization: `Bearer ${world.forge.token}` };
      const answer = await fetch(`${world.forge.url}/repos/${SITE}/check-runs/1`, { headers });
      const check = (await answer.json()) as JsonObject;
      return check['status'] === 'queued' && JSON.stringify(check).includes('Plan:') && check;
    });
  }

  test('a plan is shown, waits over a restart, and is applied as it is once it was approved', async () => {
    const sha = await push('main');
    const { id, reason } = await waiting(sha);
    assert.equal(
      reason,
      'Waiting for 1 approval by people who may write to the repository: Infra: 1 to add, 0 to change, 0 to destroy',
    );
    await until('GitHub shows what it waits for', async () =>
      (await world.statusOf(sha, 'mainsheet/infra', 'pending')).startsWith(
        'Waiting for 1 approval',
      ),
    );
    const check = JSON.stringify(await checkRun());
    assert.match(check, /terraform_data/);
    assert.doesNotMatch(check + (await world.log(id)), /hunter2/);

    await world.controller.kill();
    await world.controller.restart();
    world.hear();
    assert.equal((await waiting(sha)).id, id);
    assert.equal(await stateOf('infra.tfstate'), '');

    await approve(id);
    assert.equal((await world.ended(sha)).state, 'succeeded');
    assert.match(await stateOf('infra.tfstate'), new RegExp(sha));
    const log = await world.log(id);
    assert.equal(
      log.match(/^(?:Terraform|OpenTofu) will perform/gm)?.length,
      1,
      'it was planned once',
    );
    assert.match(log, /Apply complete! Resources: 1 added/);
    for (const name of ['before', 'after']) assert.equal(await stateOf(name), 'once\n', name);
    assert.deepEqual(await readdir(join(world.controller.dataDir, 'plans')), []);
  });

  test('a controller is killed while Terraform applies: Terraform goes on, saves its state when it is told to end, and nothing is applied twice', async () => {
    const sha = await push('slow');
    await until('the apply has begun', () => existsSync(file('begun')));
    await world.controller.kill();
    await world.controller.restart();
    world.hear();
    // Only now: what was left of the killed one has been ended, and did not finish in between.
    await writeFile(file('go'), '');
    const { id, reason } = await waiting(sha);
    assert.match(reason, /^Waiting for 1 approval by .*: Step 1: \d to add/);
    assert.match(await world.log(id), /Mainsheet was stopped while a plan was applied/);
    assert.match(
      await stateOf('slow.tfstate'),
      /"status": ?"tainted"/,
      'what was under way is saved',
    );
    assert.doesNotMatch(await stateOf('slow.tfstate'), /"name": ?"last"/);
    await approve(id);
    assert.equal((await world.ended(sha, 'slow')).state, 'succeeded');
    assert.match(await stateOf('slow.tfstate'), /"name": ?"last"/);
    assert.equal(await stateOf('applied'), 'once\n');
  });
});
