import type { Broadcast } from '../lib/broadcast.ts';
import type { Clock } from '../lib/clock.ts';
import type { Masker } from '../lib/masking.ts';
import { createLogLimit, type LogLimit } from '../lib/log-limit.ts';
import { retry } from '../lib/retry.ts';
import type { News } from '../model/news.ts';
import type { Run } from '../model/run.ts';
import { STORE_TIMEOUT_MS, stillOurs } from './pipeline-context.ts';
import type { Store, Tables } from '../store/index.ts';
import type { LogChunk } from '../store/logs.ts';

/** Text is kept back at most this long, so that a chatty step costs few transactions and a reader sees it live. */
const FLUSH_AFTER_MS = 50;
/** Text is written at once when this much has gathered, in UTF-16 units. */
const FLUSH_AT_LENGTH = 64 * 1024;

type Stream = LogChunk['stream'];
type Save = (tables: Tables, held: number) => Promise<void>;

/** A run's log: masked, bounded, in order, written as it comes. */
export interface RunLog {
  write(step: number, stream: Stream, text: string): void;
  /**
   * Writes what a step has put out, and stores it with what `save` does in one transaction. `held`: how many units at the end of the
   * step's stream are not among it, since a secret may begin in them. Throws as `close`.
   */
  writeWith(step: number, stream: Stream, text: string, save: Save): Promise<void>;
  /** A line of Mainsheet's own. */
  say(step: number, text: string): void;
  /** Ends a step's streams: what the masker held back is written. `goesOn`: not what `writeWith` has called held, it comes again. */
  endStep(step: number, goesOn?: boolean): void;
  /**
   * Resolves when everything is stored, also when it is called again. Throws what the store threw, and LostRunError when
   * another process has taken the run up: then nothing more is written.
   */
  close(): Promise<void>;
}

export async function createRunLog(deps: {
  store: Pick<Store, 'logs' | 'lazily'>;
  run: Pick<Run, 'id' | 'attempts'>;
  createMasker: () => Masker;
  /** The log's size at most, in bytes. */
  maxBytes: number;
  clock: Clock;
  news: Broadcast<News>;
}): Promise<RunLog> {
  const { store, run, clock, news } = deps;
  const { logs } = store;
  let seq = await logs.nextSeq(run.id);
  /** Whether what is written next starts a line: what a process that died had written last may have had no end. */
  let atLineStart = (await logs.read(run.id, seq - 2, 1)).every(({ text }) => text.endsWith('\n'));
  let waiting: Omit<LogChunk, 'seq'>[] = [];
  let waitingLength = 0;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  let failure: unknown;
  let closed = false;
  const limit: LogLimit = createLogLimit({ maxBytes: deps.maxBytes });
  // stdout and stderr are masked apart, because a secret may be split over chunks of one of them.
  const maskers = new Map<Stream, Masker>();
  /** What the maskers of these hold back is put out again by the step when it goes on. */
  const comesAgain = new Set<Stream>();

  function masker(stream: Stream): Masker {
    let found = maskers.get(stream);
    if (found === undefined) {
      found = deps.createMasker();
      maskers.set(stream, found);
    }
    return found;
  }

  function add(step: number, stream: Stream, masked: string): void {
    const text = stream === 'mainsheet' ? masked : limit.push(masked);
    if (text === '') return;
    atLineStart = text.endsWith('\n');
    const last = waiting.at(-1);
    if (last?.step === step && last.stream === stream) last.text += text;
    else waiting.push({ at: clock.now(), step, stream, text });
    waitingLength += text.length;
  }

  function addSoon(step: number, stream: Stream, masked: string): void {
    add(step, stream, masked);
    if (waitingLength >= FLUSH_AT_LENGTH) flush();
    else if (waiting.length > 0) timer ??= setTimeout(() => flush(), FLUSH_AFTER_MS);
  }

  function flush(save?: (tables: Tables) => Promise<void>): void {
    clearTimeout(timer);
    timer = undefined;
    if (waiting.length === 0 && save === undefined) return;
    const chunks = waiting.map((chunk) => {
      const numbered = { seq, ...chunk };
      seq += 1;
      return numbered;
    });
    waiting = [];
    waitingLength = 0;
    writing = writing.then(async () => {
      try {
        await append(chunks, save);
        news.publish({ kind: 'log', run: run.id });
      } catch (error) {
        failure ??= error;
      }
    });
  }

  /** A database that is away for a moment does not end a run. An answer that was lost is not written twice. */
  async function append(
    chunks: readonly LogChunk[],
    save?: (tables: Tables) => Promise<void>,
  ): Promise<void> {
    let again = false;
    await retry({ clock, timeoutMs: STORE_TIMEOUT_MS }, async () => {
      const last = chunks.at(-1)?.seq;
      if (again && last !== undefined && (await logs.nextSeq(run.id)) > last) return;
      again = true;
      if (save === undefined) {
        stillOurs(run, await logs.append(run.id, chunks, run.attempts));
        return;
      }
      await store.lazily(async (tables) => {
        stillOurs(run, await tables.logs.append(run.id, chunks, run.attempts));
        await save(tables);
      });
    });
  }

  async function stored(): Promise<void> {
    await writing;
    if (failure !== undefined) throw failure;
  }

  function endStep(step: number, goesOn = false): void {
    for (const [stream, masked] of maskers) {
      const rest = masked.flush();
      if (!goesOn || !comesAgain.has(stream)) addSoon(step, stream, rest);
    }
    comesAgain.clear();
  }

  return {
    write: (step, stream, text) => addSoon(step, stream, masker(stream).push(text)),
    async writeWith(step, stream, text, save) {
      const own = masker(stream);
      add(step, stream, own.push(text));
      comesAgain.add(stream);
      const held = own.held();
      flush((tables) => save(tables, held));
      await stored();
    },
    say(step, text) {
      const own = masker('mainsheet');
      const line = own.push(`${text}\n`) + own.flush();
      addSoon(step, 'mainsheet', atLineStart ? line : `\n${line}`);
    },
    endStep,
    async close() {
      if (!closed) {
        closed = true;
        endStep(-1);
        const tail = limit.flush();
        const text = atLineStart ? tail.replace(/^\n(?=…)/, '') : tail;
        if (text !== '') waiting.push({ at: clock.now(), step: -1, stream: 'mainsheet', text });
        flush();
      }
      await stored();
    },
  };
}
