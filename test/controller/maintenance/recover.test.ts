import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createRecover } from '../../../src/controller/maintenance/recover.ts';
import { createGitHub } from '../../../src/github/client.ts';
import { deliveryDigest, sign } from '../../../src/sources/github/delivery-digest.ts';
import { isoTime, systemClock } from '../../../src/lib/clock.ts';
import { startStandIn, type Received, type Reply } from '../../github/stand-in.ts';
import type { LoadedSpec } from '../../../src/model/deployment-spec.ts';
import { sampleLoaded } from '../../runs/samples.ts';
import { sampleDelivery } from '../../store/samples.ts';
import { recordFilled } from '../../support/filled.ts';
import { recordLog } from '../../support/log.ts';
import { newStore } from '../../support/new-store.ts';

const STOREFRONT = 'acme/storefront';
const HUB = 'acme/hub';
const ADDRESS = 'https://mainsheet.example';

interface Sent {
  /** As text when it has more digits than a number keeps. */
  number: number | string;
  guid: string;
  /** Default: the storefront. */
  repository?: string;
  event?: string;
  action?: string;
  /** Default: nothing is kept of it. */
  payload?: object | 'dropped';
  /** Default: GitHub does not say. */
  signature?: string;
  /** In seconds. Default: its number. */
  at?: number;
}

/** A GitHub with two repositories: each has one webhook of ours and some that are not, in pages of two. */
async function createFixture(
  t: TestContext,
  {
    specs = [sampleLoaded()],
    pageSize = 2,
    publicUrl = ADDRESS,
  }: { specs?: LoadedSpec[]; pageSize?: number; publicUrl?: string | null } = {},
) {
  const sent: Sent[] = [];
  const refused: ((request: Received) => Reply | undefined)[] = [];
  const standIn = await startStandIn(t, (request) => {
    const refusal = refused[0]?.(request);
    if (refusal !== undefined) return refusal;
    const { pathname, searchParams } = new URL(request.path, 'http://github.test');
    const [, repository = '', rest] = /^\/repos\/([^/]+\/[^/]+)\/hooks(.*)$/.exec(pathname) ?? [];
    if (![STOREFRONT, HUB].includes(repository.toLowerCase())) return { status: 404, body: {} };
    if (rest === '') return { status: 200, body: HOOKS_OF_EACH };
    const [, number] = /^\/2\/deliveries(?:\/(\d+))?$/.exec(rest ?? '') ?? [];
    if (!rest?.startsWith('/2/deliveries')) return { status: 404, body: {} };
    const own = sent.filter((one) => (one.repository ?? STOREFRONT) === repository.toLowerCase());
    if (number !== undefined) {
      const found = own.find((one) => String(one.number) === number);
      if (found?.payload === 'dropped') return { status: 404, body: { message: 'Not Found' } };
      const { payload = null, signature } = found ?? {};
      const headers = signature === undefined ? {} : { 'X-Hub-Signature-256': signature };
      return { status: 200, body: { request: { headers, payload } } };
    }
    const all = own.map(listed).sort(newestFirst);
    const start = Number(searchParams.get('cursor') ?? 0);
    const end = start + pageSize;
    const to = (cursor: number, rel: string) =>
      `<http://github.test${pathname}?cursor=${cursor}>; rel="${rel}"`;
    const links = [
      ...(start > 0 ? [to(0, 'prev')] : []),
      ...(end < all.length ? [to(end, 'next')] : []),
    ];
    return {
      status: 200,
      // As numbers, however long they are.
      text: JSON.stringify(all.slice(start, end)).replaceAll(/"id":"(\d+)"/g, '"id":$1'),
      headers: links.length > 0 ? { link: links.join(', ') } : {},
    };
  });
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-recover-'));
  const store = await newStore(join(directory, 'mainsheet.db'));
  t.after(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
  const { logger, log } = recordLog();
  const auth = { kind: 'token', token: 'ghp_x' } as const;
  const github = createGitHub({ apiUrl: standIn.url, auth, logger, clock: systemClock });
  const filled = recordFilled(store);
  const recover = createRecover({
    store,
    github,
    catalog: {
      current: () => ({ specs, problems: [], stale: false, loadedAt: 1 }),
    },
    publicUrl: publicUrl ?? undefined,
    secrets: ['new', 'old'],
    clock: systemClock,
    logger,
  });
  const inbox = async () =>
    (await store.inbox.list({ limit: 1000, before: undefined })).items
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
    recover: (signal = new AbortController().signal) => recover(signal),
    /** How often a path was asked for that ends so. */
    asked: (end: string) =>
      standIn.requests.filter(({ path }) => path.replace(/\?.*/, '').endsWith(end)).length,
    filled,
    logged: (what: string) => log.filter(({ msg }) => msg === what).length,
  };
}

/** The second is ours. */
const HOOKS_OF_EACH = [
  hook(1, 'https://else.example/webhooks/v1/github'),
  hook(2),
  { ...hook(3), active: false },
  hook(4, `${ADDRESS}/elsewhere`),
];

function hook(id: number, url = `${ADDRESS}/webhooks/v1/github/`) {
  return { id, active: true, config: { url } };
}

function listed({ number, guid, event = 'push', action, at = Number(number) }: Sent) {
  return {
    id: String(number),
    guid,
    event,
    action: action ?? null,
    delivered_at: isoTime(at * 1000),
  };
}

function newestFirst(a: ReturnType<typeof listed>, b: ReturnType<typeof listed>): number {
  const later = Date.parse(b.delivered_at) - Date.parse(a.delivered_at);
  return later || (BigInt(a.id) > BigInt(b.id) ? -1 : 1);
}

test('of a webhook that is seen for the first time nothing old is taken', async (t) => {
  const { send, recover, inbox } = await createFixture(t);
  send(1, 2, 3);
  await recover();
  send(4);
  await recover();
  await recover();
  assert.deepEqual(await inbox(), ['g4']);
});

test('what was missed is taken through all pages, oldest first, and once', async (t) => {
  const { send, sent, recover, inbox, store, standIn, filled } = await createFixture(t);
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
  assert.deepEqual(filled, Array(4).fill('inbox'), 'the intake hears of each');
  assert.equal((await store.inbox.get('g2'))?.payload, '{"number":2}');
  const others = standIn.requests.filter(({ path }) => /\/hooks\/[^2]/.test(path));
  assert.deepEqual(others, [], 'they are not ours, or not in use');
});

test('when GitHub asks for a pause, the rest is taken next time', async (t) => {
  const { send, refused, recover, inbox, store } = await createFixture(t);
  await recover();
  // Far enough from each other that the place that was reached matters.
  send(1000, 2000, 3000);
  for (const [number, taken] of [
    [1000, []],
    [2000, ['g1000']],
  ] as const) {
    refused[0] = ({ path }) =>
      path.endsWith(`/deliveries/${number}`)
        ? { status: 429, headers: { 'retry-after': '60' } }
        : undefined;
    await assert.rejects(recover(), { code: 'github-rate-limited' });
    assert.deepEqual(await inbox(), taken);
  }
  const reached = Number(await store.cursors.get(`deliveries:${STOREFRONT}#2`));
  assert.ok(reached > 0 && reached <= 1000 * 1000, 'what was reached is kept');
  refused.pop();
  await recover();
  assert.deepEqual(await inbox(), ['g1000', 'g2000', 'g3000']);
});

test('a look that was stopped asks for nothing more, and the next one takes the rest', async (t) => {
  const { send, refused, recover, inbox, asked, logged } = await createFixture(t);
  await recover();
  send(1000, 2000, 3000);
  for (const [last, taken] of [
    ['/deliveries', []],
    ['/deliveries/2000', ['g1000']],
  ] as const) {
    const stopping = new AbortController();
    refused[0] = ({ path }) => {
      if (path.replace(/\?.*/, '').endsWith(last)) stopping.abort();
      return undefined;
    };
    const pages = asked('/deliveries');
    await assert.rejects(recover(stopping.signal), { code: 'github-aborted' });
    assert.deepEqual(await inbox(), taken);
    assert.equal(asked('/deliveries/3000'), 0);
    if (last === '/deliveries') assert.equal(asked(last) - pages, 1);
  }
  assert.equal(logged('missed deliveries cannot be read'), 0, 'that is no trouble');
  await recover();
  assert.deepEqual(await inbox(), ['g1000', 'g2000', 'g3000']);
});

test('when GitHub names no time for the pause, the limit of all is told all the same', async (t) => {
  const { send, refused, recover, inbox } = await createFixture(t);
  await recover();
  send(1);
  refused.push(() => ({ status: 403, headers: { 'x-ratelimit-remaining': '0' } }));
  await assert.rejects(recover(), { code: 'github-rate-limited' });
  refused.pop();
  await recover();
  assert.deepEqual(await inbox(), ['g1']);
});

test('a delivery whose payload GitHub has not kept, or no longer has, holds up nothing', async (t) => {
  const { send, sent, recover, inbox } = await createFixture(t);
  await recover();
  sent.push({ number: 1, guid: 'empty' }, { number: 2, guid: 'dropped', payload: 'dropped' });
  send(3);
  await recover();
  assert.deepEqual(await inbox(), ['g3']);
});

for (const [what, refusal] of [
  ['an error of its own', { status: 502, body: { message: 'Server Error' } }],
  ['a refusal', { status: 403, body: { message: 'No' } }],
  ['a redirect', { status: 302, headers: { location: 'http://else.example/' } }],
] as const) {
  test(`a delivery for which GitHub has only ${what} holds up no other, and is tried again in later looks`, async (t) => {
    const { send, refused, recover, inbox, logged, store } = await createFixture(t);
    await recover();
    send(1000, 2000, 3000, 4000, 5000);
    refused[0] = ({ path }) => (path.endsWith('/deliveries/2000') ? refusal : undefined);
    await recover();
    assert.deepEqual(await inbox(), ['g1000', 'g3000', 'g4000', 'g5000']);
    send(6000);
    await recover();
    await recover();
    assert.equal(logged('delivery cannot be recovered yet'), 1, 'not once for each look');
    assert.equal(logged('missed deliveries cannot be read'), 0);
    const held = Number(await store.cursors.get(`deliveries:${STOREFRONT}#2`));
    assert.ok(held < 2000 * 1000, 'it is still to be looked for');
    refused.pop();
    await recover();
    const taken = ['g1000', 'g3000', 'g4000', 'g5000', 'g6000', 'g2000'];
    assert.deepEqual(await inbox(), taken);
    await recover();
    assert.deepEqual(await inbox(), taken);
    const reached = Number(await store.cursors.get(`deliveries:${STOREFRONT}#2`));
    assert.ok(reached > 2000 * 1000, 'nothing holds it back any more');
  });
}

test('a store that does not take a delivery ends the look there', async (t) => {
  const { send, recover, inbox, store, logged } = await createFixture(t);
  await recover();
  send(1000, 2000);
  const { atomically } = store;
  store.atomically = () => Promise.reject(new Error('the disk is full'));
  await recover();
  assert.equal(logged('missed deliveries cannot be read'), 1);
  assert.equal(logged('delivery cannot be recovered yet'), 0);
  store.atomically = atomically;
  await recover();
  assert.deepEqual(await inbox(), ['g1000', 'g2000']);
});

for (const [what, lost] of [
  ['refused', (path: string) => ({ status: 403, body: { message: path } })],
  ['gone', (path: string) => ({ status: 404, body: { message: path } })],
] as const) {
  test(
    `more deliveries that are ${what} than can be read in one look leave room for the others`,
    { timeout: 300_000 },
    async (t) => {
      const { send, refused, recover, inbox, asked } = await createFixture(t, { pageSize: 100 });
      await recover();
      // All in the time that is looked at once more.
      send(...Array.from({ length: 206 }, (_, index) => index + 1));
      refused[0] = ({ path }) =>
        /\/deliveries\/\d+$/.test(path) && !path.endsWith('/206') ? lost(path) : undefined;
      for (let look = 0; look < 15; look += 1) await recover();
      assert.deepEqual(await inbox(), ['g206']);
      const before = asked('');
      await recover();
      assert.ok(asked('') - before < 50, 'what has failed before costs little');
    },
  );
}

test('of a delivery that was tried several times any attempt that GitHub has kept will do', async (t) => {
  const { sent, send, recover, inbox, store } = await createFixture(t);
  await recover();
  sent.push({ number: 1, guid: 'twice', payload: 'dropped' });
  send(2);
  sent.push({ number: 3, guid: 'twice', payload: { kept: true } });
  await recover();
  assert.deepEqual(await inbox(), ['twice', 'g2'], 'in the order of the first attempts');
  assert.equal((await store.inbox.get('twice'))?.payload, '{"kept":true}');
});

test('a delivery that GitHub lists late is taken although later ones were taken before', async (t) => {
  const { sent, send, recover, inbox } = await createFixture(t);
  await recover();
  send(1000);
  await recover();
  sent.push({ number: 1001, guid: 'slow', payload: {}, at: 500 });
  await recover();
  assert.deepEqual(await inbox(), ['g1000', 'slow']);
});

test('what lies before the place that was reached is neither read again nor taken', async (t) => {
  const { send, sent, recover, inbox, asked } = await createFixture(t);
  send(1, 2, 3, 4, 5, 6);
  await recover();
  send(1000, 2000);
  await recover();
  const before = asked('/deliveries');
  sent.push({ number: 2001, guid: 'ancient', payload: {}, at: 1 });
  send(3000);
  await recover();
  assert.deepEqual(await inbox(), ['g1000', 'g2000', 'g3000']);
  assert.equal(asked('/deliveries') - before, 2, 'two pages reach back far enough');
});

test('no request is spent on the payload of what the inbox has, or of what deploys nothing', async (t) => {
  const { send, sent, recover, store, asked } = await createFixture(t);
  await recover();
  send(1, 2);
  sent.push({ number: 3, guid: 'star', event: 'star', payload: {} });
  for (const [index, action] of ['labeled', 'closed', 'edited'].entries()) {
    sent.push({ number: index + 4, guid: action, event: 'pull_request', action, payload: {} });
  }
  await store.accept(sampleDelivery('g1'));
  await recover();
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6].map((number) => asked(`/deliveries/${number}`)),
    [0, 1, 0, 0, 1, 1],
  );
});

test('whatever can start a run is taken, or end a preview, each as what it was', async (t) => {
  const { sent, recover, inbox, store } = await createFixture(t);
  await recover();
  const events = ['push', 'release', 'workflow_run', 'pull_request', 'deployment_protection_rule'];
  for (const [index, event] of events.entries()) {
    sent.push({ number: index + 1, guid: event, event, payload: { action: 'completed' } });
  }
  await recover();
  assert.deepEqual(await inbox(), events);
  for (const event of events) {
    assert.equal((await store.inbox.get(event))?.delivery.event, event);
  }
});

test('numbers of any length say which of one second came first, and any payload is taken as it is', async (t) => {
  const { sent, recover, inbox, store } = await createFixture(t);
  await recover();
  const numbers = ['9', '10', '9007199254740992', '9007199254740993', '90071992547409930'];
  for (const number of numbers.toReversed()) {
    sent.push({ number, guid: `g${number}`, at: 5, payload: { id: 2 ** 60 } });
  }
  await recover();
  assert.deepEqual(
    await inbox(),
    numbers.map((number) => `g${number}`),
  );
  assert.equal((await store.inbox.get('g9'))?.payload, JSON.stringify({ id: 2 ** 60 }));
});

test('each webhook is read from its own place', async (t) => {
  const specs = [sampleLoaded(), sampleLoaded({ name: 'hub', repository: HUB })];
  const { sent, send, recover, inbox } = await createFixture(t, { specs });
  const sendHub = (number: number) =>
    sent.push({ number, guid: `h${number}`, repository: HUB, payload: {} });
  send(5000);
  sendHub(1000);
  await recover();
  assert.deepEqual(await inbox(), []);
  sendHub(2000);
  send(6000);
  await recover();
  assert.deepEqual(await inbox(), ['g6000', 'h2000']);
  sendHub(3000);
  await recover();
  assert.deepEqual(await inbox(), ['g6000', 'h2000', 'h3000']);
});

test('a repository is asked once, however its name is written, and not at all when it is not known which webhook is ours', async (t) => {
  const specs = [sampleLoaded(), sampleLoaded({ name: 'too', repository: 'Acme/Storefront' })];
  const { recover, asked } = await createFixture(t, { specs });
  await recover();
  assert.equal(asked('/hooks'), 1);
  const nameless = await createFixture(t, { publicUrl: null });
  await nameless.recover();
  assert.equal(nameless.standIn.requests.length, 0);
});

test('an id that GitHub could not have given is left alone', async (t) => {
  const { sent, send, recover, inbox } = await createFixture(t);
  await recover();
  sent.push({ number: 1, guid: 'x\u0000<script>', payload: {} });
  send(2);
  await recover();
  assert.deepEqual(await inbox(), ['g2']);
});

test('a cursor that GitHub no longer has costs that look and nothing else', async (t) => {
  const { send, refused, recover, inbox } = await createFixture(t);
  await recover();
  send(1, 2, 3, 4, 5);
  refused.push(({ path }) =>
    path.includes('cursor=') ? { status: 422, body: { message: 'Invalid cursor' } } : undefined,
  );
  await recover();
  assert.deepEqual(await inbox(), [], 'the newest alone would make the older ones late');
  refused.pop();
  await recover();
  assert.deepEqual(await inbox(), ['g1', 'g2', 'g3', 'g4', 'g5']);
});

test(
  'more than can be read in one look is taken in the next ones, in order',
  { timeout: 300_000 },
  async (t) => {
    const { send, recover, inbox, asked } = await createFixture(t, { pageSize: 100 });
    await recover();
    // Far enough from each other that the place that was reached matters.
    const numbers = Array.from({ length: 205 }, (_, index) => (index + 1) * 700);
    send(...numbers);
    await recover();
    assert.equal((await inbox()).length, 200);
    const pages = asked('/deliveries');
    await recover();
    assert.equal(asked('/deliveries') - pages, 1, 'from where the first has ended');
    assert.deepEqual(
      await inbox(),
      numbers.map((number) => `g${number}`),
    );
    await recover();
    assert.equal(asked('/deliveries') - pages, 2);
  },
);

test("one repository's trouble keeps no other's deliveries from being taken", async (t) => {
  const other = sampleLoaded({ name: 'other', repository: 'acme/aaa' });
  const { send, refused, recover, inbox, logged } = await createFixture(t, {
    specs: [other, sampleLoaded()],
  });
  await recover();
  send(1);
  for (const status of [403, 404, 500]) {
    refused.unshift(({ path }) =>
      path.startsWith('/repos/acme/aaa/') ? { status, body: { message: 'No' } } : undefined,
    );
    await recover();
    send(2 + status);
  }
  await recover();
  assert.deepEqual(await inbox(), ['g1', 'g405', 'g406', 'g502']);
  assert.equal(logged('missed deliveries cannot be read'), 1, 'not once for each look');
});

test('a token that may not read webhooks is no failure', async (t) => {
  const { send, refused, recover, inbox } = await createFixture(t);
  send(1);
  refused.push(() => ({ status: 404, body: { message: 'Not Found' } }));
  await recover();
  assert.deepEqual(await inbox(), []);
});

test('what came under another id, which is not signed, is a copy when it is recovered, and the other way round', async (t) => {
  const { store, sent, recover, inbox } = await createFixture(t);
  sent.push({ number: 1, guid: 'g1', payload: {} });
  await recover();
  // What was signed is not the JSON that GitHub's list has.
  const signature = sign('new', '{ "number": 2 }');
  const digest = deliveryDigest('push', signature);
  await store.accept(sampleDelivery('replayed', { digest }));
  sent.push({ number: 2, guid: 'g2', payload: { number: 2 }, signature });
  // Without the signature it is what GitHub would have made of its JSON.
  const unsaid = deliveryDigest('push', sign('new', '{"number":3}'));
  sent.push({ number: 3, guid: 'g3', payload: { number: 3 } });
  await recover();
  assert.equal((await store.inbox.get('g2'))?.delivery.copyOf, 'replayed');
  assert.equal(await store.accept(sampleDelivery('later', { digest: unsaid })), false);
  assert.equal((await store.inbox.get('later'))?.delivery.copyOf, 'g3');
  assert.deepEqual(await inbox(), ['replayed', 'g2', 'g3', 'later']);
  // A list that hides what was signed hides nothing else.
  for (const number of [4, 5]) {
    sent.push({ number, guid: `g${number}`, payload: { number }, signature: '********' });
  }
  await recover();
  for (const id of ['g4', 'g5'])
    assert.equal((await store.inbox.get(id))?.delivery.copyOf, undefined);
  assert.equal((await store.inbox.known(['g4', 'g5'])).size, 2);
});
