import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createWebhookAddresses } from '../../src/github/webhook-addresses.ts';
import { recordLog } from '../support/log.ts';
import { startStandIn, type Reply } from './stand-in.ts';
import { createTestClock } from './support.ts';

const HOUR = 3_600_000;
const SIGNAL = new AbortController().signal;
const LIST = { hooks: ['192.30.252.0/22', '2a0a:a440::/29'], web: ['10.0.0.0/8'] };

async function setUp(t: TestContext, kept?: string) {
  const state: { reply: Reply; kept: string | undefined } = {
    reply: { status: 200, body: LIST },
    kept,
  };
  const standIn = await startStandIn(t, () => state.reply);
  const clock = createTestClock();
  const { logger, log } = recordLog();
  const restart = () =>
    createWebhookAddresses({
      apiUrl: standIn.url,
      fetch,
      read: async () => state.kept,
      keep: async (text) => void (state.kept = text),
      clock,
      logger,
    });
  return { state, standIn, clock, log, restart, addresses: restart() };
}

test('what GitHub says that it sends from is allowed, asked for once an hour, and kept', async (t) => {
  const { standIn, clock, state, log, addresses, restart } = await setUp(t);
  assert.equal(addresses.allows('192.30.252.1'), false);
  await addresses.refresh(SIGNAL);
  for (const address of ['192.30.252.1', '::ffff:192.30.255.9', '2a0a:a447::1']) {
    assert.equal(addresses.allows(address), true, address);
  }
  for (const address of ['10.0.0.1', '198.51.100.1', '2a0a:a448::1', '']) {
    assert.equal(addresses.allows(address), false, address);
  }
  await addresses.refresh(SIGNAL);
  assert.equal(standIn.requests.length, 1);
  assert.equal(standIn.requests[0]?.path, '/meta');
  clock.advance(HOUR);
  state.reply = { status: 200, body: { hooks: ['203.0.113.0/24'] } };
  await addresses.refresh(SIGNAL);
  assert.deepEqual(
    ['192.30.252.1', '203.0.113.1'].map((address) => addresses.allows(address)),
    [false, true],
  );

  state.reply = 'reset';
  const again = restart();
  await again.refresh(SIGNAL);
  assert.equal(again.allows('203.0.113.1'), true);
  assert.equal(standIn.requests.length, 2);
  assert.deepEqual(log, []);
});

for (const [what, reply] of [
  ['cannot be reached', 'reset'],
  ['refuses', { status: 403, body: {} }],
  ['names none', { status: 200, body: { hooks: [] } }],
  ['names nothing of the kind, as a server of one’s own', { status: 200, body: {} }],
  ['names what is no network', { status: 200, body: { hooks: ['192.30.252.0/22', 'all'] } }],
  ['names half of the internet', { status: 200, body: { hooks: ['0.0.0.0/1'] } }],
  ['answers a page', { status: 200, text: '<html>' }],
] as [string, Reply][]) {
  test(`where GitHub ${what}, the last list stays in use, and none is said to be missing`, async (t) => {
    const { clock, state, log, addresses, restart } = await setUp(t);
    await addresses.refresh(SIGNAL);
    const { kept } = state;
    clock.advance(HOUR);
    state.reply = reply;
    await addresses.refresh(SIGNAL);
    assert.equal(addresses.allows('192.30.252.1'), true);
    assert.equal(state.kept, kept);
    assert.match(JSON.stringify(log), /the last list stays in use/);

    state.kept = undefined;
    const fresh = restart();
    await fresh.refresh(SIGNAL);
    assert.equal(fresh.allows('192.30.252.1'), false);
    assert.match(JSON.stringify(log.at(-1)), /its requests are refused/);
  });
}

test('what was kept and cannot be read counts for nothing', async (t) => {
  for (const kept of ['', '{', '{"at":1,"networks":["0.0.0.0/0"]}', '[]']) {
    const { state, addresses } = await setUp(t, kept);
    state.reply = 'reset';
    await addresses.refresh(SIGNAL);
    assert.equal(addresses.allows('192.30.252.1'), false);
  }
});
