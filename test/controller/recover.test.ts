import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createRecover } from '../../src/controller/recover.ts';
import { createGitHub } from '../../src/github/client.ts';
import { isoTime, systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { openSqlite } from '../../src/store/engine.ts';
import { createStore } from '../../src/store/index.ts';
import { startStandIn, type Received, type Reply } from '../github/stand-in.ts';
import { sampleLoaded } from '../runs/samples.ts';
import { sampleDelivery } from '../store/samples.ts';

const HOOKS = '/repos/acme/storefront/hooks';
const ADDRESS = 'https://mainsheet.example';

interface Sent {
  number: number;
  guid: string;
  event?: string;
  /** Default: nothing is kept of it. */
  payload?: object;
}

/** A GitHub with one webhook of ours and one of somebody else, in pages of two. */
async function createFixture(t: TestContext) {
  const sent: Sent[] = [];
  const refused: ((request: Received) => Reply | undefined)[] = [];
  const standIn = await startStandIn(t, (request) => {
    const refusal = refused[0]?.(request);
    if (refusal !== undefined) return refusal;
    const { pathname, searchParams } = new URL(request.path, 'http://github.test');
    if (pathname === HOOKS)
      return { status: 200, body: [hook(1, 'https://else.example/x'), hook(2)] };
    const [, number] = /\/hooks\/2\/deliveries(?:\/(\d+))?$/.exec(pathname) ?? [];
    if (!pathname.startsWith(`${HOOKS}/2/deliveries`)) return { status: 404, body: {} };
    if (number !== undefined) {
      const found = sent.find((one) => String(one.number) === number);
      return { status: 200, body: { request: { headers: {}, payload: found?.payload ?? null } } };
    }
    const all = sent.map(listed).toReversed();
    const start = Number(searchParams.get('cursor') ?? 0);
    const next = `<http://github.test${pathname}?cursor=${start + 2}>; rel="next"`;
    return {
      status: 200,
      body: all.slice(start, start + 2),
      headers: start + 2 < all.length ? { link: next } : {},
    };
  });
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-recover-'));
  const store = await createStore(openSqlite(join(directory, 'mainsheet.db')), 'sqlite');
  t.after(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
  const logger = createLogger({ level: 'silent', format: 'json' });
  const auth = { kind: 'token', token: 'ghp_x' } as const;
  const github = createGitHub({ apiUrl: standIn.url, auth, logger, clock: systemClock });
  const recover = createRecover({
    store,
    github,
    catalog: {
      current: () => ({ specs: [sampleLoaded()], problems: [], stale: false, loadedAt: 1 }),
    },
    publicUrl: ADDRESS,
    onAccepted: () => {},
    clock: systemClock,
    logger,
  });
  const inbox = async () =>
    (await store.inbox.list({ limit: 200, before: undefined })).items
      .map(({ id }) => id)
      .toReversed();
  const send = (...numbers: number[]) =>
    sent.push(...numbers.map((number) => ({ number, guid: `g${number}`, payload: { number } })));
  return {
    standIn,
    store,
    sent,
    send,
    refused,
    inbox,
    recover: () => recover(new AbortController().signal),
  };
}

function hook(id: number, url = `${ADDRESS}/webhooks/v1/github/`) {
  return { id, active: true, config: { url } };
}

function listed({ number, guid, event = 'push' }: Sent) {
  return { id: number, guid, event, delivered_at: isoTime(number * 1000) };
}

test('of a webhook that is seen for the first time nothing old is taken', async (t) => {
  const { send, recover, inbox } = await createFixture(t);
  send(1, 2, 3);
  await recover();
  send(4);
  await recover();
  assert.deepEqual(await inbox(), ['g4']);
});

test('what was missed is taken through all pages, oldest first, and once', async (t) => {
  const { send, sent, recover, inbox, store, standIn } = await createFixture(t);
  await recover();
  send(1, 2, 3, 4, 5);
  sent.push(
    { number: 6, guid: 'g2', payload: { again: true } },
    { number: 7, guid: 'hello', event: 'ping' },
  );
  await store.accept(sampleDelivery('g4'));
  await recover();
  await recover();
  assert.deepEqual(await inbox(), ['g4', 'g1', 'g2', 'g3', 'g5']);
  assert.equal((await store.inbox.get('g2'))?.payload, '{"number":2}');
  assert.ok(!standIn.requests.some(({ path }) => path.startsWith(`${HOOKS}/1/`)), 'it is not ours');
});

test('when GitHub asks for a pause, the rest is taken next time', async (t) => {
  const { send, refused, recover, inbox } = await createFixture(t);
  await recover();
  send(1, 2, 3);
  refused.push(({ path }) =>
    path.endsWith('/deliveries/2') ? { status: 429, headers: { 'retry-after': '60' } } : undefined,
  );
  await assert.rejects(recover(), { code: 'github-rate-limited' });
  assert.deepEqual(await inbox(), ['g1']);
  refused.pop();
  await recover();
  assert.deepEqual(await inbox(), ['g1', 'g2', 'g3']);
});

test('a delivery whose payload GitHub has not kept holds up nothing', async (t) => {
  const { send, sent, recover, inbox } = await createFixture(t);
  await recover();
  sent.push({ number: 1, guid: 'empty' });
  send(2);
  await recover();
  assert.deepEqual(await inbox(), ['g2']);
});

test('a token that may not read webhooks is no failure', async (t) => {
  const { send, refused, recover, inbox } = await createFixture(t);
  send(1);
  refused.push(() => ({ status: 404, body: { message: 'Not Found' } }));
  await recover();
  assert.deepEqual(await inbox(), []);
});
