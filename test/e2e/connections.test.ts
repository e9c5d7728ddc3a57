import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startController, type Controller } from '../support/controller.ts';

const IDLE = fileURLToPath(new URL('../support/idle-connections.ts', import.meta.url));
/** Nothing here matches, so that nothing goes to GitHub. */
const NO_FORGE = { url: 'http://127.0.0.1:9', token: 'none' };
const SPEC = `
name: storefront
repository: acme/storefront
on: { push: { branches: [never] } }
steps: [{ run: "true" }]
`;

describe('clients that hold connections', () => {
  let controller: Controller;
  before(async () => {
    controller = await startController({ forge: NO_FORGE, specs: { 'site.yaml': SPEC } });
  });
  after(() => controller.remove());

  test('with 10,000 idle connections deliveries are taken in and memory stays bounded (G9)', async () => {
    const before = await metric(controller, 'process_resident_memory_bytes');
    await withIdleConnections(controller, 10_000, async () => {
      for (let number = 0; number < 20; number += 1) {
        assert.equal(await deliver(controller, `idle-${number}`), 202);
      }
      const grown = (await metric(controller, 'process_resident_memory_bytes')) - before;
      assert.ok(grown < 200 * 1024 * 1024, `grown by ${grown} bytes`);
    });
    assert.equal(await deliver(controller, 'afterwards'), 202);
  });

  test('a process that may open few files keeps some for its work', async (t) => {
    const openFiles = 256;
    const small = await startController({
      forge: NO_FORGE,
      specs: { 'site.yaml': SPEC },
      openFiles,
    });
    t.after(() => small.remove());
    await withIdleConnections(small, 2 * openFiles, async () => {
      for (let number = 0; number < 20; number += 1) {
        assert.equal(await deliver(small, `idle-${number}`), 202);
      }
      const open = await metric(small, 'process_open_fds');
      assert.ok(open <= openFiles / 2, `${open} of ${openFiles} are open`);
      assert.equal(await metric(small, 'process_max_fds'), openFiles);
    });
  });
});

/** At once, since each waits until the controller has lost its patience. */
describe('clients that are slow', { concurrency: true }, () => {
  let controller: Controller;
  before(async () => {
    controller = await startController({ forge: NO_FORGE, specs: { 'site.yaml': SPEC } });
  });
  after(() => controller.remove());

  test('a sender that never finishes its headers is cut off', { timeout: 60_000 }, async () => {
    const socket = connect(Number(new URL(controller.url).port), '127.0.0.1');
    const begun = Date.now();
    socket.write('POST /webhooks/v1/github HTTP/1.1\r\nHost: x\r\n');
    // A byte now and then does not help.
    const drip = setInterval(() => socket.write('x'), 500);
    socket.on('error', () => undefined);
    socket.resume();
    await once(socket, 'close');
    clearInterval(drip);
    assert.ok(Date.now() - begun < 25_000);
  });
  test('half-sent bodies of strangers neither keep a signed delivery out nor fill the memory', async (t) => {
    const before = await metric(controller, 'process_resident_memory_bytes');
    const mib = 1024 * 1024;
    const strangers = Array.from({ length: 11 }, () => {
      const socket = connect(Number(new URL(controller.url).port), '127.0.0.1');
      socket.on('error', () => undefined).resume();
      socket.write(
        [
          'POST /webhooks/v1/github HTTP/1.1',
          'Host: x',
          'Content-Type: application/json',
          'X-GitHub-Event: push',
          'X-GitHub-Delivery: stranger',
          `X-Hub-Signature-256: sha256=${'0'.repeat(64)}`,
          `Content-Length: ${25 * mib}`,
          '',
          '',
        ].join('\r\n'),
      );
      return {
        socket,
        closed: new Promise((resolve) => socket.once('close', resolve)),
        sent: new Promise((resolve) => socket.write(Buffer.alloc(24 * mib), resolve)),
      };
    });
    t.after(() => strangers.forEach(({ socket }) => socket.destroy()));
    // All that they send has been taken off their hands, so that the room is as full as they can make it.
    await Promise.all(strangers.map(({ sent }) => sent));
    const began = performance.now();
    assert.equal(await deliver(controller, 'small'), 202);
    assert.ok(performance.now() - began < 5000, 'it did not wait for them');
    const grown = (await metric(controller, 'process_resident_memory_bytes')) - before;
    assert.ok(grown < 150 * mib, `grown by ${Math.round(grown / mib)} MiB`);
    // In the end each of them is told to go.
    await Promise.all(strangers.map(({ closed }) => closed));
  });
});

async function deliver(controller: Controller, id: string): Promise<number> {
  const body = JSON.stringify({ zen: 'x', repository: { full_name: 'acme/storefront' } });
  const signature = createHmac('sha256', controller.secret).update(body).digest('hex');
  const response = await fetch(controller.webhookUrl, {
    method: 'POST',
    body,
    headers: {
      'Content-Type': 'application/json',
      'X-GitHub-Event': 'ping',
      'X-GitHub-Delivery': id,
      'X-Hub-Signature-256': `sha256=${signature}`,
    },
    signal: AbortSignal.timeout(10_000),
  });
  await response.text();
  return response.status;
}

/** Opens so many connections that send nothing or half a request, from another process, while `work` goes on. */
async function withIdleConnections(
  controller: Controller,
  count: number,
  work: () => Promise<void>,
): Promise<void> {
  const { port } = new URL(controller.url);
  const child = spawn(process.execPath, [IDLE, port, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    assert.ok(Number(line.toString()) > 0, 'connections were opened');
    await work();
  } finally {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
}

async function metric(controller: Controller, name: string): Promise<number> {
  const text = await (await fetch(`${controller.url}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.slice(name.length));
}
