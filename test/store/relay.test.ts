import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { after, before, test, type TestContext } from 'node:test';
import { createBroadcast, type Broadcast } from '../../src/lib/broadcast.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import type { News } from '../../src/model/news.ts';
import { createRelay } from '../../src/store/relay.ts';
import { startPostgres, usePostgres, type Databases } from '../support/postgres.ts';
import { until } from '../support/until.ts';

const logger = silentLogger;
let server: Databases;

before(async () => {
  server = await usePostgres();
});

after(async () => {
  await server.remove();
});

interface Process {
  news: Broadcast<News>;
  heard: News[];
}

/** What a process has of news: its broadcast, its relay, and a listener. */
function startProcess(
  t: TestContext,
  url: string,
  patience: { askEveryMs?: number; answerWithinMs?: number } = {},
): Process {
  const news = createBroadcast<News>();
  const heard: News[] = [];
  news.subscribe((item) => heard.push(item));
  const stopping = new AbortController();
  const relay = createRelay({ url, news, clock: systemClock, logger, ...patience });
  const running = relay.run(stopping.signal);
  t.after(async () => {
    stopping.abort();
    await running;
  });
  return { news, heard };
}

/** A link to the database at `url`, which may stop forwarding what is on it now, both ways, while neither end is told. */
async function startLink(t: TestContext, url: string): Promise<{ url: string; die: () => void }> {
  const { pathname, searchParams } = new URL(url);
  const pairs: [Socket, Socket][] = [];
  const listener = createServer((near) => {
    const far = connect(`${searchParams.get('host')}/.s.PGSQL.5432`);
    near.on('error', () => far.destroy());
    far.on('error', () => near.destroy());
    near.pipe(far).pipe(near);
    pairs.push([near, far]);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    listener.close();
    for (const socket of pairs.flat()) socket.destroy();
  });
  return {
    url: `postgres://postgres@127.0.0.1:${(listener.address() as AddressInfo).port}${pathname}`,
    die() {
      for (const [near, far] of pairs) {
        near.unpipe(far).pause();
        far.unpipe(near).pause();
      }
    },
  };
}

/** Publishes again and again until the other side has heard it: whether it is connected cannot be seen from outside. */
const told = (from: Process, to: Process, item: News) =>
  until('the other process hears', () => {
    from.news.publish(item);
    return to.heard.some((other) => JSON.stringify(other) === JSON.stringify(item));
  });

test('what one process publishes the others hear once, and not in a circle', async (t) => {
  const url = await server.database();
  const [one, two, three] = [startProcess(t, url), startProcess(t, url), startProcess(t, url)];
  for (const from of [one, two, three]) {
    for (const to of [one, two, three]) await told(from, to, { kind: 'log', run: 'warm' });
  }
  await until('what was said to warm up is over', async () => {
    const before = two.heard.length;
    await server.query('select pg_sleep(0.1)');
    return two.heard.length === before;
  });
  const state = 'queued' as const;
  one.news.publish({ kind: 'run', run: 'r1', state, spec: 'storefront' });
  one.news.publish({ kind: 'specs', count: 1, stale: false });
  two.news.publish({ kind: 'delivery', delivery: 'last', repository: undefined });
  const runsAndLast = ({ heard }: Process) =>
    heard.filter((item) => item.kind !== 'log').map((item) => item.kind);
  for (const each of [one, two, three]) {
    await until('the last is heard', () => each.heard.some((item) => item.kind === 'delivery'));
    await until('the first is heard', () => each.heard.some((item) => item.kind === 'run'));
  }
  assert.deepEqual(runsAndLast(one).sort(), ['delivery', 'run', 'specs']);
  assert.deepEqual(runsAndLast(two).sort(), ['delivery', 'run']);
  assert.deepEqual(runsAndLast(three).sort(), ['delivery', 'run']);
});

test('after the server was restarted news goes on', async (t) => {
  const own = await startPostgres();
  t.after(() => own.remove());
  const url = await own.database();
  const [one, two] = [startProcess(t, url), startProcess(t, url)];
  await told(one, two, { kind: 'log', run: 'before' });
  await own.stop();
  one.news.publish({ kind: 'log', run: 'meanwhile' });
  await own.start();
  await told(one, two, { kind: 'log', run: 'after' });
  assert.ok(!two.heard.some((item) => item.kind === 'log' && item.run === 'meanwhile'));
});

test('a link that forwards nothing any more is replaced, and news is heard again', async (t) => {
  const url = await server.database();
  const link = await startLink(t, url);
  const listener = startProcess(t, link.url, { askEveryMs: 20, answerWithinMs: 300 });
  const other = startProcess(t, url);
  await told(other, listener, { kind: 'log', run: 'before' });
  link.die();
  await told(other, listener, { kind: 'log', run: 'after' });
});

test('a process that says something on a link that forwards nothing any more gets another one', async (t) => {
  const url = await server.database();
  const link = await startLink(t, url);
  // Too seldom for this test: only what is said can notice it.
  const speaker = startProcess(t, link.url, { askEveryMs: 600_000, answerWithinMs: 300 });
  const other = startProcess(t, url);
  await told(speaker, other, { kind: 'log', run: 'before' });
  link.die();
  await told(speaker, other, { kind: 'log', run: 'after' });
});

test('a relay that has ended waits for nothing any more', async (t) => {
  const news = createBroadcast<News>();
  const stopping = new AbortController();
  t.after(() => stopping.abort());
  let sleeping = 0;
  const clock = {
    ...systemClock,
    async sleep(ms: number, signal?: AbortSignal) {
      sleeping += 1;
      await systemClock.sleep(ms, signal);
      sleeping -= 1;
    },
  };
  const relay = createRelay({ url: await server.database(), news, clock, logger });
  const running = relay.run(stopping.signal);
  await until('it listens and will ask later', () => sleeping === 1);
  stopping.abort();
  await running;
  await until('nothing is waited for', () => sleeping === 0, 5000);
});

test('a server that hangs does not keep a process from ending', { timeout: 60_000 }, async () => {
  const news = createBroadcast<News>();
  const stopping = new AbortController();
  // What is waited for is over at once, if there is a bound to it.
  const sleep = async (ms: number, signal?: AbortSignal) =>
    ms > 1000 ? systemClock.sleep(ms, signal) : undefined;
  const clock = { ...systemClock, sleep };
  const url = await server.database();
  const name = new URL(url).pathname.slice(1);
  const relay = createRelay({ url, news, clock, logger });
  const running = relay.run(stopping.signal);
  const listening = await until('it listens', async () => {
    const [row] = await server.query(
      `select pid from pg_stat_activity where query = 'listen mainsheet' and datname = '${name}'`,
    );
    return row?.['pid'];
  });
  process.kill(Number(listening), 'SIGSTOP');
  try {
    stopping.abort();
    await running;
  } finally {
    process.kill(Number(listening), 'SIGCONT');
  }
});

test('what others say on the channel that is no news is not heard', async (t) => {
  const url = await server.database();
  const [one, two] = [startProcess(t, url), startProcess(t, url)];
  await told(one, two, { kind: 'log', run: 'r1' });
  const { Client } = await import('pg');
  const client = new Client({ connectionString: url });
  await client.connect();
  for (const text of [
    '',
    'hello',
    '{}',
    '{"from":"x"}',
    'null',
    '{"from":"x","news":{"kind":1}}',
  ]) {
    await client.query('select pg_notify($1, $2)', ['mainsheet', text]);
  }
  await client.end();
  await told(one, two, { kind: 'log', run: 'r2' });
  assert.ok(two.heard.every((item) => item.kind === 'log'));
});
