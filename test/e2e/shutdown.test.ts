import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Controller } from '../support/controller.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

const SPEC = `
name: slow
repository: ${SITE}
on: push
secrets: [NOTES]
steps:
  - name: First
    run: echo first >> "$NOTES/steps"
  - name: Second
    run: |
      echo second >> "$NOTES/steps"
      until [ -e "$NOTES/go-on" ]; do sleep 0.05; done
`;

let world: World;
let notes: string;
before(async () => {
  notes = await mkdtemp(join(tmpdir(), 'mainsheet-notes-'));
  world = await createWorld({
    specs: { 'slow.yaml': SPEC },
    env: { MAINSHEET_SECRET_NOTES: notes, MAINSHEET_SHUTDOWN_GRACE: '50ms' },
  });
});
after(async () => {
  await world.close();
  await rm(notes, { recursive: true, force: true });
});

test('SIGTERM hands a run over, and the next process goes on at its first unfinished step', async () => {
  const sha = await world.sample.commit({ message: 'Interrupted' });
  await world.sample.push('main');
  await until('the second step runs', async () => (await stepsRun()).length === 2);

  assert.equal(await world.controller.stop(), 0);
  await writeFile(join(notes, 'go-on'), '');
  await world.controller.restart();

  const run = await world.ended(sha);
  assert.equal(run.state, 'succeeded');
  assert.deepEqual(await stepsRun(), ['first', 'second', 'second']);
  await world.statusOf(sha, 'mainsheet/slow', 'success');
  await world.settled();
  assert.equal((await world.forge.deployments(SITE)).length, 1);
});

test(
  'what a library goes on waiting for does not keep the process from ending with 0',
  { timeout: 60_000 },
  async () => {
    await world.controller.stop();
    // Stands for a connection or a timer that was not closed: it alone would keep the process for ever.
    const waits = 'data:text/javascript,setInterval(()=>{},1e9)';
    await world.controller.restart({ NODE_OPTIONS: `--import=${waits}` });
    assert.equal(await world.controller.stop(), 0);
    assert.equal(world.controller.log.at(-1)?.['msg'], 'stopped', 'not before all was handed over');
  },
);

async function stepsRun(): Promise<string[]> {
  const text = await readFile(join(notes, 'steps'), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

test('SIGTERM under load leaves no request without an answer, and what was answered 202 is there', async () => {
  const { controller } = world;
  await controller.restart();
  const agent = new Agent({ keepAlive: true });
  const accepted: string[] = [];
  const others: string[] = [];
  async function sender(name: number): Promise<void> {
    // Until it was told to come later three times, or nothing answers.
    for (let number = 0, later = 0; later < 3; number += 1) {
      const id = `load-${name}-${number}`;
      let answer: Answer;
      // A kept connection may be closed as idle just when it is used again: what clients then send once more, on a new one.
      do answer = await ping(controller, agent, id);
      while (answer.isReused === true && answer.error === 'ECONNRESET');
      const { status, retryAfter, error } = answer;
      if (status === 202) accepted.push(id);
      else if (status === 503 && retryAfter !== undefined) later += 1;
      else if (error === 'ECONNREFUSED') return;
      else others.push(`${status} ${error}`);
    }
  }
  const from = controller.log.length;
  const senders = Array.from({ length: 64 }, (_, name) => sender(name));
  await until('it is under load', () => accepted.length > 300);
  assert.equal(await controller.stop(), 0);
  await Promise.all(senders);
  agent.destroy();
  assert.deepEqual(others, []);
  assert.doesNotMatch(JSON.stringify(controller.log.slice(from)), /destroyed/);
  await controller.restart();
  for (const id of accepted) await controller.get(`/deliveries/${id}`);
});

interface Answer {
  status?: number | undefined;
  retryAfter?: string | undefined;
  error?: string | undefined;
  /** Whether the connection had been used before. */
  isReused?: boolean;
}

function ping({ webhookUrl, secret }: Controller, agent: Agent, id: string): Promise<Answer> {
  const body = JSON.stringify({ zen: id });
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  return new Promise((resolve) => {
    const sent = request(webhookUrl, {
      agent,
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        'Content-Length': body.length,
        'X-GitHub-Event': 'ping',
        'X-GitHub-Delivery': id,
        'X-Hub-Signature-256': `sha256=${signature}`,
      },
    });
    sent.on('response', (response) => {
      const { statusCode: status, headers } = response;
      response.resume();
      response.on('end', () => resolve({ status, retryAfter: headers['retry-after'] }));
      response.on('error', ({ message }) => resolve({ error: message }));
    });
    sent.on('error', (error: NodeJS.ErrnoException) =>
      resolve({ error: error.code, isReused: sent.reusedSocket }),
    );
    sent.end(body);
  });
}
