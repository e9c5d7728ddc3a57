import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { compare, report, SECRET, startReceiver, type Receiver } from './load.ts';

/** Taking in a webhook: what any receiver has to do, the same made durable, and Mainsheet's whole route. */

const receivers = [
  await startReceiver('bare', 'bare node:http + HMAC (keeps nothing)'),
  await startReceiver('durable', 'the same + durable SQLite, group commit'),
  await startReceiver('mainsheet', 'Mainsheet, whole route (durable)'),
  ...(process.argv.includes('--peers') ? await startPeers() : []),
];
report(await compare(receivers), 'mainsheet');

async function startPeers(): Promise<Receiver[]> {
  const found: Receiver[] = [];
  try {
    found.push(await startReceiver('probot', 'Probot (keeps nothing)'));
  } catch {
    console.log('Probot is left out: npm install --no-save probot adds it.\n');
  }
  if (spawnSync('webhook', ['-version']).error === undefined) found.push(await startWebhook());
  else console.log('adnanh/webhook is left out: the program `webhook` is not installed.\n');
  return found;
}

/** adnanh/webhook with a rule that checks the signature and starts /bin/true. */
async function startWebhook(): Promise<Receiver> {
  const port = await freePort();
  const hooks = join(mkdtempSync(join(tmpdir(), 'bench-')), 'hooks.json');
  const parameter = { source: 'header', name: 'X-Hub-Signature-256' };
  const match = { type: 'payload-hmac-sha256', secret: SECRET, parameter };
  const hook = { id: 'github', 'execute-command': '/bin/true', 'trigger-rule': { match } };
  writeFileSync(hooks, JSON.stringify([hook]));
  const child = spawn('webhook', ['-hooks', hooks, '-ip', '127.0.0.1', '-port', String(port)], {
    stdio: 'ignore',
  });
  const url = `http://127.0.0.1:${port}/hooks/github`;
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const answered = await fetch(url, { method: 'POST' }).then(
      () => true,
      () => false,
    );
    if (answered) break;
    await delay(25);
  }
  return { name: 'webhook', label: 'adnanh/webhook, /bin/true (keeps nothing)', url, child };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
