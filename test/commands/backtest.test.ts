import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '../support/until.ts';
import { sampleDelivery } from '../store/samples.ts';
import { pushPayload } from './payloads.ts';
import { runCommand } from './run-command.ts';
import { SPEC, startServer, WEBHOOK_SECRET, type TestServer } from './server.ts';

let server: TestServer;
let directory = '';
before(async () => {
  server = await startServer();
  directory = await mkdtemp(join(tmpdir(), 'mainsheet-backtest-'));
  const sent = await runCommand(['send', 'push', '--payload', '-', '--delivery', 'sent-1'], {
    env: here(),
    stdin: JSON.stringify(pushPayload()),
  });
  assert.equal(sent.code, 0, sent.stderr);
  await until('the delivery is processed', async () => {
    const found = await server.store.inbox.get('sent-1');
    return found?.delivery.state === 'processed';
  });
});
after(async () => {
  await server.close();
  await rm(directory, { recursive: true, force: true });
});

const here = () => ({ MAINSHEET_URL: server.url, GITHUB_WEBHOOK_SECRET: WEBHOOK_SECRET });

async function backtest(spec: string, ...more: string[]) {
  const file = join(directory, 'storefront.yaml');
  await writeFile(file, spec);
  return await runCommand(['backtest', file, ...more], { env: here() });
}

test('specs of this machine are held against what the server keeps', async () => {
  const same = await backtest(SPEC, '--exit-code');
  assert.equal(same.code, 0, same.stderr);
  assert.match(same.stdout, /^No difference in 1 delivery since \d{4}-/);

  const changed = SPEC.replace('[main]', '[next]');
  const { code, stdout } = await backtest(changed, '--exit-code');
  assert.equal(code, 1);
  assert.match(
    stdout,
    /^- storefront would not have deployed acme\/storefront refs\/heads\/main at aaaaaaa$/m,
  );
  assert.match(stdout, /^ {2}on\.push\.branches: main /m);
  assert.match(stdout, /^ {2}delivery sent-1$/m);
  assert.equal((await backtest(changed)).code, 0);
  assert.equal((await backtest(changed)).stderr, '');
  const file = join(directory, 'storefront.yaml');
  const shown = await runCommand(['backtest', file], { env: here(), columns: 80 });
  assert.match(shown.stderr, /^\r\S+judging the deliveries of 30 days … 0 s[^]*\r\u001B\[K$/);
  const dumb = { ...here(), TERM: 'dumb' };
  assert.equal((await runCommand(['backtest', file], { env: dumb, columns: 80 })).stderr, '');
});

test('how far it has come is shown on a terminal', async () => {
  for (let index = 0; index < 250; index += 1) {
    const id = `many-${index}`;
    await server.store.accept(sampleDelivery(id, { receivedAt: Date.now() - 1000 }));
    await server.store.inbox.close(id, 'processed', { summary: '', specs: [] }, 1);
  }
  const file = join(directory, 'storefront.yaml');
  await writeFile(file, SPEC);
  const { stderr } = await runCommand(['backtest', file], { env: here(), columns: 80 });
  assert.match(stderr, /judging the deliveries of 30 days: \d+ so far, \d+ % … \d+ s/);
});

test('specs that are not valid are said to be so, and days have to be a number', async () => {
  const broken = await backtest('name: storefront');
  assert.equal(broken.code, 1);
  assert.match(broken.stdout + broken.stderr, /storefront\.yaml:1:1/);
  const days = await backtest(SPEC, '--days', '0');
  assert.equal(days.code, 2);
  assert.match(days.stderr, /--days must be a number from 1 to 365/);
});
