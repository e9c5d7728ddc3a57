import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { inspect } from 'node:util';
import { SMTPServer } from 'smtp-server';
import { callbacksFor, kindOf } from '../../src/callbacks/index.ts';
import { createSender } from '../../src/callbacks/send.ts';
import { createDeliver } from '../../src/controller/feedback/deliver.ts';
import { createPace } from '../../src/controller/feedback/pace.ts';
import { createReceivers } from '../../src/controller/feedback/receivers.ts';
import { createBroadcast } from '../../src/lib/broadcast.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import type { News } from '../../src/model/news.ts';
import type { RunState } from '../../src/model/run.ts';
import { createRender } from '../../src/runs/render-callback.ts';
import type { AnyNotify, NotifyOf } from '../../src/spec/notify/index.ts';
import { connect } from '../github/support.ts';
import { sampleLoaded } from '../runs/samples.ts';
import { sampleRun } from '../store/samples.ts';
import { newStore } from '../support/new-store.ts';

const HOSTILE = '\u202e<script>alert(1)</script>\nBcc: eve@evil.example';
const MINUTE = 60_000;
const FOREVER = new AbortController().signal;

interface Received {
  from: string;
  to: string[];
  /** The whole mail, soft line breaks undone. */
  source: string;
}

/** A mail server that gives these answers first, and the outbox of a spec that mails. */
async function setUp(t: TestContext, entry: Partial<NotifyOf<'email'>>, answers: number[] = []) {
  const received: Received[] = [];
  const server = new SMTPServer({
    authMethods: ['PLAIN'],
    allowInsecureAuth: true,
    hideSTARTTLS: true,
    onAuth: ({ username, password }, _session, done) =>
      password === 's3cret' ? done(null, { user: username }) : done(new Error('no')),
    onData(stream, { envelope }, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const answer = answers.shift();
        if (answer !== undefined) {
          done(Object.assign(new Error('refused, said s3cret'), { responseCode: answer }));
          return;
        }
        const source = Buffer.concat(chunks).toString();
        received.push({
          from: envelope.mailFrom === false ? '' : envelope.mailFrom.address,
          to: envelope.rcptTo.map(({ address }) => address),
          source: source.replaceAll('=\r\n', '').replaceAll('=3D', '='),
        });
        done();
      });
    },
  });
  server.on('error', () => undefined);
  const listening = server.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  t.after(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const { port } = listening.address() as AddressInfo;

  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-email-'));
  const store = await newStore(join(directory, 'mainsheet.db'));
  t.after(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
  const notify: NotifyOf<'email'> = {
    kind: 'email',
    on: ['succeeded', 'failed'],
    to: ['ops@acme.example', 'dev@acme.example'],
    text: 'said: ${{ outputs.note }}',
    batchMs: 0,
    ...entry,
  };
  const { spec } = sampleLoaded({ name: 'shop', notify: [notify], feedback: [] });
  let now = Date.parse('2026-11-29T12:00Z');
  const clock = { now: () => now, elapsed: () => now, sleep: async () => undefined };
  const { github } = connect('http://127.0.0.1:1', { auth: undefined });
  const smtp = {
    url: `smtp://user:s3cret@127.0.0.1:${port}`,
    from: 'Mainsheet <deploy@acme.example>',
  };
  const deliver = createDeliver({
    store,
    sender: createSender({ github, clock, smtp }),
    render: createRender({
      store,
      specOf: async () => spec,
      secret: () => undefined,
      publicUrl: 'https://mainsheet.example',
      smtp: { address: `smtp://127.0.0.1:${port}` },
    }),
    budget: {} as never,
    receivers: createReceivers(),
    pace: createPace(clock),
    clock,
    logger: silentLogger,
    news: createBroadcast<News>(),
  });

  return {
    received,
    /** A run of the spec comes to this state. */
    async change(id: string, state: RunState) {
      const run = sampleRun(id, {
        spec: 'shop',
        lane: id,
        state,
        delivery: id,
        outputs: { note: HOSTILE },
      });
      const inserted = await store.runs.insert(run, []);
      assert.ok(inserted);
      const publicUrl = undefined;
      const due = callbacksFor({
        run: inserted,
        spec,
        previous: 'running',
        wasDeployed: false,
        publicUrl,
      });
      const added = due.map((callback) => {
        const kind = kindOf(callback);
        return { target: kind.target(callback), callback, delayMs: kind.delayMs?.(callback) };
      });
      await store.outbox.add(id, added, now);
    },
    /** Deals with all that is due in so many milliseconds from now. */
    async pass(ms = 0) {
      now += ms;
      for (;;) {
        const [entry] = await store.outbox.claim(now, MINUTE, 1);
        if (entry === undefined) return;
        await deliver(entry, FOREVER);
      }
    },
    async entries(run: string) {
      return (await store.outbox.ofRun(run)).map(({ state, error }) => [state, error]);
    },
  };
}

test('a run is told by mail, in text and HTML, in which nothing of the run is markup or a header', async (t) => {
  const { received, change, pass } = await setUp(t, {});
  await change('r1', 'failed');
  await pass();
  const [mail, ...more] = received;
  assert.ok(mail);
  assert.deepEqual(more, []);
  assert.equal(mail.from, 'deploy@acme.example');
  assert.deepEqual(mail.to, ['ops@acme.example', 'dev@acme.example']);
  const [head = ''] = mail.source.split('\r\n\r\n');
  assert.match(head, /^Subject: shop: Failed$/m);
  assert.match(head, /^Message-ID: <r1\.\d+@acme\.example>$/m);
  assert.match(head, /^Auto-Submitted: auto-generated$/m);
  assert.doesNotMatch(head, /evil/);
  assert.match(mail.source, /said: <script>alert\(1\)<\/script>/, 'as text it is what was said');
  assert.doesNotMatch(mail.source, /=E2=80=AE|\u202e/);
  assert.match(mail.source, /said: &lt;script&gt;alert\(1\)/);
  assert.match(mail.source, /<a href="https:\/\/mainsheet\.example\/runs\/r1">shop: Failed<\/a>/);
});

test('a server that says "later" is asked again with the same Message-ID; one that says "never" is not, and no password is told', async (t) => {
  const { received, change, pass, entries } = await setUp(t, {}, [451, 550]);
  await change('r1', 'succeeded');
  await pass();
  const [[state, later] = []] = await entries('r1');
  assert.equal(state, 'pending');
  assert.match(String(later), /did not take the mail \(\w+ 451\)/);
  await pass(MINUTE);
  const [[dead, never] = []] = await entries('r1');
  assert.equal(dead, 'dead');
  assert.match(String(never), /550.*check the addresses/);
  assert.doesNotMatch(inspect([later, never]), /s3cret/);
  assert.equal(received.length, 0);
});

test('with `batch` the changes of that time are one mail, each is told once, and the next begins a new one', async (t) => {
  const { received, change, pass, entries } = await setUp(t, { batchMs: 10 * MINUTE }, [451]);
  await change('r1', 'succeeded');
  await pass(MINUTE);
  await change('r2', 'failed');
  await change('r3', 'succeeded');
  await pass(8 * MINUTE);
  assert.equal(received.length, 0, 'it waits for its time');
  await pass(MINUTE);
  await change('r4', 'succeeded');
  await pass(MINUTE);
  assert.equal(received.length, 1);
  assert.match(received[0]?.source ?? '', /^Subject: shop: 4 changes: 3 succeeded, 1 failed$/m);
  for (const run of ['r1', 'r2', 'r3', 'r4']) {
    assert.match(received[0]?.source ?? '', new RegExp(`/runs/${run}"`));
    assert.equal((await entries(run))[0]?.[0], 'sent');
  }
  await change('r5', 'succeeded');
  await pass(9 * MINUTE);
  assert.equal(received.length, 1);
  await pass(MINUTE);
  assert.match(received[1]?.source ?? '', /^Subject: shop: Deployed to /m);
});

test('without a mail server the callback is given up, and says what to set', async (t) => {
  const { change, pass, entries, received } = await setUp(t, { to: ['ops@acme.example'] });
  await change('r1', 'succeeded');
  await pass();
  assert.equal(received.length, 1);
  const { spec } = sampleLoaded({
    notify: [{ kind: 'email', on: [], to: [], text: undefined, batchMs: 0 } as AnyNotify],
  });
  const render = createRender({
    store: {} as never,
    specOf: async () => spec,
    secret: () => undefined,
    publicUrl: undefined,
  });
  const callback = { kind: 'email', notify: 0, run: sampleRun('r2'), batchMs: 0 };
  await assert.rejects(render({ callback } as never), { code: 'smtp-missing' });
  assert.equal((await entries('r1'))[0]?.[0], 'sent');
});
