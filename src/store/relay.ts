import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import type { Broadcast } from '../lib/broadcast.ts';
import type { Clock } from '../lib/clock.ts';
import { describeError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { News } from '../model/news.ts';
import { SAY_AT_WORK } from './migrations.ts';
import { connectionConfig } from './postgres.ts';

/** https://www.postgresql.org/docs/current/sql-notify.html */
const CHANNEL = 'mainsheet';
const RECONNECT_AFTER_MS = 1000;
const END_WITHIN_MS = 1000;
const ASK_EVERY_MS = 30_000;
const ANSWER_WITHIN_MS = 10_000;
/** News that wait to be sent at most; what is more is left out, because those that wait for it look by themselves too. */
const MOST_WAITING = 1000;

/** The connection that is listened on, and what is to be told when it is of no use any more. */
interface Line {
  connection: Client;
  broke(why: Error): void;
}

/**
 * Carries news between the processes that share a PostgreSQL database, over one connection of its own that is made again
 * when it breaks, or when the server has no answer any more. Until then nothing is heard or said, and nothing is lost by
 * that: every listener looks by itself now and then, and the store holds the truth. `askEveryMs`: how often the server is asked for a sign of life (default 30 s). `answerWithinMs`: when whatever it was asked has
 * no answer after that, the connection is made again (default 10 s).
 */
export function createRelay(deps: {
  url: string;
  news: Broadcast<News>;
  clock: Clock;
  logger: Logger;
  askEveryMs?: number;
  answerWithinMs?: number;
}) {
  const { news, clock, logger } = deps;
  const { askEveryMs = ASK_EVERY_MS, answerWithinMs = ANSWER_WITHIN_MS } = deps;
  /** Names this process: what it has said itself it has heard already. */
  const self = randomUUID();
  // Texts and not items, so that ten news of one log that wait become one.
  const waiting = new Set<string>();
  let line: Line | undefined;
  let hearing = false;
  let sending: Promise<void> | undefined;

  function say(item: News): void {
    // What was heard from another is not said again, and specs are each process's own.
    if (hearing || line === undefined || item.kind === 'specs') return;
    if (waiting.size < MOST_WAITING) waiting.add(JSON.stringify({ from: self, news: item }));
    void send();
  }

  /** One query at a time. Never rejects: a query that fails ends the connection. */
  function send(): Promise<void> {
    sending ??= sendAll().finally(() => (sending = undefined));
    return sending;
  }

  /** Says what waits. When nothing does it asks all the same, and so learns whether another is there. */
  async function sendAll(): Promise<void> {
    do {
      if (line === undefined) return;
      const { connection, broke } = line;
      const texts = [...waiting];
      waiting.clear();
      try {
        await connection.query('select pg_notify($1, text) from unnest($2::text[]) as text', [
          CHANNEL,
          texts,
        ]);
      } catch (error) {
        broke(new Error('the server could not be asked', { cause: error }));
      }
    } while (waiting.size > 0);
  }

  /** A link that forwards nothing any more looks like one on which nothing is said, so it is tried until `signal` aborts. */
  async function keepAsking(signal: AbortSignal): Promise<void> {
    for (;;) {
      await clock.sleep(askEveryMs, signal);
      if (signal.aborted) return;
      await send();
    }
  }

  function hear(text: string | undefined): void {
    const item = readNews(text, self);
    if (item === undefined) return;
    hearing = true;
    try {
      news.publish(item);
    } finally {
      hearing = false;
    }
  }

  /** Listens until the connection breaks (and throws why) or `signal` aborts. */
  async function listen(signal: AbortSignal): Promise<void> {
    const connection = new Client({ ...connectionConfig(deps.url), query_timeout: answerWithinMs });
    const { promise: broken, resolve: broke } = Promise.withResolvers<Error>();
    connection.on('error', broke);
    connection.on('end', () => broke(new Error('the connection was closed')));
    connection.on('notification', ({ payload }) => hear(payload));
    const aborted = new Promise<undefined>((resolve) => {
      signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    const over = new AbortController();
    try {
      await connection.connect();
      await connection.query(SAY_AT_WORK);
      await connection.query(`listen ${CHANNEL}`);
      line = { connection, broke };
      void keepAsking(over.signal);
      const failure = signal.aborted ? undefined : await Promise.race([broken, aborted]);
      if (failure !== undefined) throw failure;
      // What has been asked may have no answer any more.
      await Promise.race([sending, clock.sleep(END_WITHIN_MS, over.signal)]);
    } finally {
      over.abort();
      line = undefined;
      waiting.clear();
      const ended = new AbortController();
      void connection
        .end()
        .catch(() => undefined)
        .then(() => ended.abort());
      // A server that hangs does not say goodbye.
      await clock.sleep(END_WITHIN_MS, ended.signal);
    }
  }

  return {
    /** Works until `signal` aborts; resolves when what is waiting has been said, or soon after. Never rejects. */
    async run(signal: AbortSignal): Promise<void> {
      const unsubscribe = news.subscribe(say);
      while (!signal.aborted) {
        try {
          await listen(signal);
        } catch (error) {
          logger.warn(
            { error: describeError(error), retryInMs: RECONNECT_AFTER_MS },
            'not connected to other processes',
          );
          await clock.sleep(RECONNECT_AFTER_MS, signal);
        }
      }
      unsubscribe();
    },
  };
}

/** What another process said; undefined for what this one said, and for what is no news of Mainsheet. */
function readNews(text: string | undefined, self: string): News | undefined {
  try {
    const { from, news } = JSON.parse(text ?? '') as { from: unknown; news: News };
    return from === self || typeof news?.kind !== 'string' ? undefined : news;
  } catch {
    return undefined;
  }
}
