import { Readable } from 'node:stream';
import type { Context } from 'koa';
import type { Broadcast } from '../../lib/broadcast.ts';
import { isoTime } from '../../lib/clock.ts';
import { createWakeup } from '../../lib/wakeup.ts';
import type { News } from '../../model/news.ts';
import { hasEnded } from '../../model/run.ts';
import type { Store } from '../../store/index.ts';
import type { LogChunk } from '../../store/logs.ts';
import { viewerOf } from '../auth/viewer.ts';
import { endWithRights } from './end-with-rights.ts';
import { eventStream } from './event-stream.ts';

const CHUNKS_AT_ONCE = 200;
/** News of another process does not come here, so a live log looks by itself too. */
const POLL_MS = 1000;

/** A run's whole log as text, read from the store as the client takes it. */
export function logText(store: Store, run: string, timestamps: boolean): Readable {
  return Readable.from(textOf(store, run, timestamps));
}

async function* textOf(store: Store, run: string, timestamps: boolean): AsyncGenerator<string> {
  let lineStart = true;
  for await (const chunk of chunksOf(store, run, -1)) {
    if (!timestamps) {
      yield chunk.text;
      continue;
    }
    const stamp = `${isoTime(chunk.at)} `;
    yield (lineStart ? stamp : '') + chunk.text.replaceAll(/\n(?!$)/g, `\n${stamp}`);
    lineStart = chunk.text.endsWith('\n');
  }
}

async function* chunksOf(store: Store, run: string, after: number): AsyncGenerator<LogChunk> {
  let last = after;
  for (;;) {
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
  endWithRights(stream, viewerOf(ctx), news);
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
