import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { git } from '../../demo/git.ts';
import { until } from '../support/until.ts';
import { pushPayload } from './payloads.ts';
import { runCommand } from './run-command.ts';
import { startAnswering, startServer, WEBHOOK_SECRET, type TestServer } from './server.ts';

let server: TestServer;
let directory = '';
before(async () => {
  server = await startServer();
  directory = await mkdtemp(join(tmpdir(), 'mainsheet-deliveries-'));
});
after(async () => {
  await server.close();
  await rm(directory, { recursive: true, force: true });
});

const here = () => ({ MAINSHEET_URL: server.url, GITHUB_WEBHOOK_SECRET: WEBHOOK_SECRET });

async function processed(delivery: string): Promise<void> {
  await until('the delivery is processed', async () => {
    const found = await server.store.inbox.get(delivery);
    return found?.delivery.state === 'processed';
  });
}

test('a test delivery is signed, taken, and explained', async () => {
  const file = join(directory, 'push.json');
  await writeFile(file, JSON.stringify(pushPayload()));
  const sent = await runCommand(['send', 'push', '--payload', file, '--delivery', 'sent-1'], {
    env: here(),
  });
  assert.equal(sent.code, 0, sent.stderr);
  assert.equal(sent.stdout, '202 accepted: delivery sent-1\n');
  assert.match(sent.stderr, /mainsheet explain sent-1/);

  await processed('sent-1');
  const explained = await runCommand(['explain', 'sent-1'], { env: here() });
  assert.equal(explained.code, 0);
  assert.match(explained.stdout, /^Deploying storefront\n\n✓ storefront: deploys\n/);
  assert.match(explained.stdout, /^ {2}→ run [0-9a-z]{26}$/m);
});

test('a delivery id that the server knows is said to be a duplicate', async () => {
  const argv = ['send', 'ping', '--payload', '-', '--delivery', 'twice', '--json'];
  const options = { env: here(), stdin: '{"zen":"x"}' };
  const first = JSON.parse((await runCommand(argv, options)).stdout);
  const second = JSON.parse((await runCommand(argv, options)).stdout);
  assert.deepEqual(first, { delivery: 'twice', duplicate: false, status: 202 });
  assert.deepEqual(second, { delivery: 'twice', duplicate: true, status: 202 });
});

test('a payload that was sent before is said to do nothing more, and how to deploy it again', async () => {
  const send = (id: string) =>
    runCommand(['send', 'ping', '--payload', '-', '--delivery', id], {
      env: here(),
      stdin: '{"zen":"same"}',
    });
  await send('same-1');
  const { code, stdout, stderr } = await send('same-2');
  assert.equal(code, 0);
  assert.match(stdout, /delivery same-2, whose body the server had before: nothing more happens/);
  assert.match(stderr, /mainsheet replay same-1/);
});

test('the first of several secrets signs, from a file too, and bytes beyond ASCII are signed right', async () => {
  const file = join(directory, 'secrets');
  await writeFile(file, `${WEBHOOK_SECRET}\nanother-secret\n`);
  const env = { MAINSHEET_URL: server.url, GITHUB_WEBHOOK_SECRET_FILE: file };
  const options = { env, stdin: '{ "zen": "Grüße 🙂" }\n' };
  const { code, stderr } = await runCommand(['send', 'ping', '--payload', '-'], options);
  assert.equal(code, 0, stderr);
});

test('a refused delivery is told with status and reason, exit code 1', async () => {
  const env = { ...here(), GITHUB_WEBHOOK_SECRET: 'wrong' };
  const { code, stdout, stderr } = await runCommand(['send', 'ping', '--payload', '-'], {
    env,
    stdin: '{}',
  });
  assert.equal(code, 1);
  assert.match(stdout, /^401 refused: the signature does not match/);
  assert.match(stderr, /hint: set GITHUB_WEBHOOK_SECRET/);
});

test('without a secret nothing is sent', async () => {
  const env = { MAINSHEET_URL: server.url };
  const { code, stderr } = await runCommand(['send', 'ping', '--payload', '-'], {
    env,
    stdin: '{}',
  });
  assert.equal(code, 2);
  assert.match(stderr, /there is no secret to sign with\n {2}hint: set GITHUB_WEBHOOK_SECRET/);
});

for (const [what, argv, hint] of [
  ['another event', ['release'], /name the event that the payload is of/],
  ['an id of its own', ['push', '--delivery', 'deploy-1'], /choose another --delivery/],
] as const) {
  test(`a delivery that is refused for ${what} says what to change in the command`, async () => {
    const { code, stderr } = await runCommand(['send', ...argv, '--payload', '-'], {
      env: here(),
      stdin: JSON.stringify(pushPayload({})),
    });
    assert.equal(code, 1);
    assert.match(stderr, hint);
    assert.doesNotMatch(stderr, /X-/);
  });
}

test('--url sends elsewhere, as GitHub would, without the token of the API', async () => {
  const received: Record<string, unknown>[] = [];
  const other = await startAnswering((request, response) => {
    received.push({ ...request.headers, url: request.url });
    response.writeHead(202).end('{"delivery":"d","duplicate":false}');
  });
  try {
    const { code } = await runCommand(
      ['send', 'push', '--payload', '-', '--delivery', 'd', '--url', `${other.url}/hook?a=b`],
      { env: { ...here(), MAINSHEET_ADMIN_TOKEN: 'the-token' }, stdin: '{}' },
    );
    assert.equal(code, 0);
    assert.equal(received.length, 1);
    assert.equal(received[0]?.['url'], '/hook?a=b');
    assert.equal(received[0]?.['x-github-event'], 'push');
    assert.equal(received[0]?.['x-github-delivery'], 'd');
    assert.match(String(received[0]?.['x-hub-signature-256']), /^sha256=[0-9a-f]{64}$/);
    assert.equal(received[0]?.['authorization'], undefined);
  } finally {
    await other.close();
  }
});

test("a replay runs today's specs once more, exit code 1 when nothing is deployed", async () => {
  await runCommand(['send', 'push', '--payload', '-', '--delivery', 'again'], {
    env: here(),
    stdin: JSON.stringify(pushPayload({ sha: 'c'.repeat(40) })),
  });
  await processed('again');
  const replayed = await runCommand(['replay', 'again'], { env: here() });
  assert.equal(replayed.code, 0, replayed.stderr);
  assert.match(
    replayed.stdout,
    /^Deploying storefront\nrun [0-9a-z]{26} of storefront is queued\n$/,
  );

  await runCommand(['send', 'push', '--payload', '-', '--delivery', 'other'], {
    env: here(),
    stdin: JSON.stringify(pushPayload({ branch: 'other' })),
  });
  await processed('other');
  const idle = await runCommand(['replay', 'other', '--json'], { env: here() });
  assert.equal(idle.code, 1);
  assert.deepEqual(JSON.parse(idle.stdout).runs, []);
});

test('a push whose payload is nested deeply is explained and replayed like any other', async () => {
  const deep = `"deep":${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  await runCommand(['send', 'push', '--payload', '-', '--delivery', 'deep'], {
    env: here(),
    stdin: JSON.stringify(pushPayload({ sha: 'd'.repeat(40) })).replace(/^\{/, `{${deep},`),
  });
  await processed('deep');
  for (const command of ['explain', 'replay']) {
    const { code, stdout, stderr } = await runCommand([command, 'deep'], { env: here() });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^Deploying storefront\n/);
  }
});

test('a delivery that the server does not know is an error with its hint, that of a hook too', async () => {
  const ids = ['unknown', 'stripe.evt_1', `${'h'.repeat(63)}.sha256-${'0'.repeat(64)}.2`];
  for (const [command, id] of ['explain', 'replay'].flatMap((one) => ids.map((id) => [one, id]))) {
    const { code, stderr } = await runCommand([command ?? '', id ?? ''], { env: here() });
    assert.equal(code, 3);
    assert.ok(stderr.startsWith(`mainsheet: there is no delivery ${id}\n`), stderr);
  }
});

test('why says of a commit what became of it, spec by spec', async () => {
  const sha = 'd'.repeat(40);
  const sent = await runCommand(['send', 'push', '--payload', '-', '--delivery', 'sent-why'], {
    env: here(),
    stdin: JSON.stringify(pushPayload({ sha })),
  });
  assert.equal(sent.code, 0, sent.stderr);
  await processed('sent-why');
  const ask = (...more: string[]) =>
    runCommand(['why', sha.slice(0, 7), '--repository', 'acme/storefront', ...more], {
      env: here(),
    });
  const { code, stdout } = await ask();
  assert.equal(code, 0);
  assert.match(stdout, /^✓ storefront \(production\): waiting\n {2}Run \w+ waits: /);
  assert.doesNotMatch(stdout, /→/);
  for (const { stdout: said } of [
    await ask('--all'),
    await runCommand(['explain', 'sent-why', '--all'], { env: here() }),
  ]) {
    assert.match(said, /^ {2}→ after-rollback: a rollback pauses the lane \S+$/m);
  }
  assert.equal((await ask('--exit-code')).code, 1, 'it is not deployed yet');
});

test('why asks about HEAD of the checkout that it is started in', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'mainsheet-why-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const run = (...args: string[]) => git({ directory: root, args });
  await run('init', '--quiet', '--initial-branch=main');
  await run('remote', 'add', 'origin', 'https://github.com/acme/storefront.git');
  await run('commit', '--quiet', '--allow-empty', '--message=First');
  const { code, stdout } = await runCommand(['why'], { env: here(), directory: root });
  assert.equal(code, 0);
  assert.match(stdout, /^✗ storefront \(production\): never-heard-of\n/);
  const unknown = await runCommand(['why', 'nothing'], { env: here(), directory: root });
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /this checkout has no commit nothing/);
});
