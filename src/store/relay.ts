import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import type { Broadcast } from '../lib/broadcast.ts';
import type { Clock } from '../lib/clock.ts';
import { describeError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { News } from '../model/news.ts';
import { connectionConfig } from './postgres.ts';

/** https://www.postgresql.org/docs/current/sql-notify.html */
const CHANNEL = 'mainsheet';
const RECONNECT_AFTER_MS = 1000;
const END_WITHIN_MS = 1000;
/** News that wait to be sent at most; what is more is left out, because whoever waits for it looks by himself too. */
const MOST_WAITING = 1000;

/**
 * Carries news between the processes that share a PostgreSQL database, over one connection of its own that is made again
 * when it breaks. Until then nothing is heard or said, and nothing is lost by that: every listener looks by itself now
 * and then, and the store holds the truth.
 */
export interface Relay {
  /** Works until `signal` aborts; resolves when what is waiting has been said. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

export function createRelay(deps: {
  url: string;
  news: Broadcast<News>;
  clock: Clock;
  logger: Logger;
}): Relay {
  const { news, clock, logger } = deps;
  /** Names this process: what it has said itself it has heard already. */
  const self = randomUUID();
  // Texts and not items, so that ten news of one log that wait become one.
  const waiting = new Set<string>();
  let client: Client | undefined;
  let hearing = false;
  let sending: Promise<void> | undefined;

  function say(item: News): void {
    // What was heard from another is not said again, and specs are each process's own.
    if (hearing || client === undefined || item.kind === 'specs') return;
    if (waiting.size < MOST_WAITING) waiting.add(JSON.stringify({ from: self, news: item }));
    sending ??= send().finally(() => (sending = undefined));
  }

  async function send(): Promise<void> {
    for (let connection = client; waiting.size > 0 && connection; connection = client) {
      const texts = [...waiting];
      waiting.clear();
      try {
        await connection.query('select pg_notify($1, text) from unnest($2::text[]) as text', [
          CHANNEL,
          texts,
        ]);
      } catch (error) {
        logger.debug({ error: describeError(error) }, 'news could not be told to other processes');
      }
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
    const connection = new Client({ ...connectionConfig(deps.url), query_timeout: 10_000 });
    const broken = new Promise<Error>((resolve) => {
      connection.on('error', resolve);
      connection.on('end', () => resolve(new Error('the connection was closed')));
    });
    connection.on('notification', ({ payload }) => hear(payload));
    const aborted = new Promise<undefined>((resolve) => {
      signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    try {
      await connection.connect();
      await connection.query(`listen ${CHANNEL}`);
      client = connection;
      const failure = signal.aborted ? undefined : await Promise.race([broken, aborted]);
      if (failure !== undefined) throw failure;
      await sending;
    } finally {
      client = undefined;
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
    async run(signal) {
      const unsubscribe = news.subscribe(say);
      while (!signal.aborted) {
        try {
          await listen(signal);
        } catch (error) {
          logger.warn({ error: describeError(error) }, 'not connected to other processes');
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
