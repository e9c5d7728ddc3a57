import { Readable } from 'node:stream';
import type { Context } from 'koa';
import type { Broadcast } from '../../lib/broadcast.ts';
import { isoTime, type Clock } from '../../lib/clock.ts';
import { createWakeup } from '../../lib/wakeup.ts';
import type { News } from '../../model/news.ts';
import { hasEnded, type Run } from '../../model/run.ts';
import type { Store } from '../../store/index.ts';
import type { LogChunk } from '../../store/logs.ts';
import { standingOf, type Standing } from '../auth/standing.ts';
import { eventStream } from './event-stream.ts';

const CHUNKS_AT_ONCE = 200;
/** News of another process does not come here, so a live log looks by itself too. */
const POLL_MS = 1000;
/** Who takes a log slowly is asked about again after so long. */
const JUDGED_FOR_MS = 10_000;

/**
 * A run's whole log as text, read from the store as the client takes it, for as long as they may see the run: the answer breaks off
 * when they may no more. Throws as `createOpenAnswers`.
 */
export function logText(
  ctx: Context,
  deps: { store: Pick<Store, 'logs'>; clock: Pick<Clock, 'elapsed'> },
  run: Pick<Run, 'id' | 'repository'>,
  timestamps: boolean,
): Readable {
  const standing = standingOf(ctx);
  const stillMay = judgedAgain(standing, deps.clock, run.repository);
  const text = Readable.from(textOf(chunksOf(deps.store, run.id, -1, stillMay), timestamps));
  const leave = standing.enter();
  return text.once('close', leave);
}

/** Throws when what was judged more than ten seconds ago is no longer so. */
function judgedAgain(
  standing: Standing,
  clock: Pick<Clock, 'elapsed'>,
  repository: string,
): () => Promise<void> {
  let judgedAt = clock.elapsed();
  return async () => {
    if (clock.elapsed() - judgedAt < JUDGED_FOR_MS) return;
    if ((await standing.again())?.canSee(repository) !== true) {
      throw new Error('who reads the log may see it no more');
    }
    judgedAt = clock.elapsed();
  };
}

async function* textOf(
  chunks: AsyncIterable<LogChunk>,
  timestamps: boolean,
): AsyncGenerator<string> {
  let lineStart = true;
  for await (const chunk of chunks) {
    if (!timestamps) {
      yield chunk.text;
      continue;
    }
    const stamp = `${isoTime(chunk.at)} `;
    yield (lineStart ? stamp : '') + chunk.text.replaceAll(/\n(?!$)/g, `\n${stamp}`);
    lineStart = chunk.text.endsWith('\n');
  }
}

async function* chunksOf(
  store: Pick<Store, 'logs'>,
  run: string,
  after: number,
  stillMay?: () => Promise<void>,
): AsyncGenerator<LogChunk> {
  let last = after;
  for (;;) {
    await stillMay?.();
    const chunks = await store.logs.read(run, last, CHUNKS_AT_ONCE);
    yield* chunks;
    const final = chunks.at(-1);
    if (final === undefined) return;
    last = final.seq;
  }
}

/**
 * A run's log as it grows: an event `log` for each chunk, numbered so that a client that reconnects with `Last-Event-ID`
 * misses nothing, and one event `end` with the run's state.
 */
export function streamLog(
  ctx: Context,
  deps: { store: Store; news: Broadcast<News>; run: string },
): void {
  const { store, news, run } = deps;
  const stream = eventStream(ctx, store.flushed);
  const wakeup = createWakeup();
  const unsubscribe = news.subscribe((item) => {
    if ('run' in item && item.run === run) wakeup.wake();
  });
  const resumeAt = Number.parseInt(ctx.get('Last-Event-ID'), 10);
  let last = Number.isNaN(resumeAt) ? -1 : resumeAt;

  async function follow(): Promise<void> {
    for (;;) {
      // Asked before reading, so that what is written up to the end is read.
      const state = (await store.runs.get(run))?.state;
      for await (const { seq, at, step, stream: source, text } of chunksOf(store, run, last)) {
        await stream.send('log', { seq, at: isoTime(at), step, stream: source, text }, seq);
        last = seq;
        if (stream.signal.aborted) return;
      }
      if (state === undefined || hasEnded(state)) {
        await stream.send('end', { state: state ?? 'unknown' });
        return;
      }
      await wakeup.wait(POLL_MS, stream.signal);
      if (stream.signal.aborted) return;
    }
  }

  follow()
    .catch((error: unknown) => stream.fail(error))
    .finally(() => {
      unsubscribe();
      stream.end();
    });
}
