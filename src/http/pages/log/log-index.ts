import type { Store } from '../../../store/index.ts';
import type { LogChunk } from '../../../store/logs.ts';
import { PLAIN, styleAfter, type TextStyle } from './ansi.ts';
import { GROUP_HEAD, groupOf } from './groups.ts';

/** So many lines are shown and read at once. */
export const BLOCK = 500;
const CHUNKS_AT_ONCE = 500;
/** Logs whose index is remembered: 8 bytes for each line at most. */
const MOST = 50;

/** A line of a step's log. */
export interface LogLine {
  /** From 0. */
  number: number;
  at: number;
  stream: LogChunk['stream'];
  text: string;
}

/** A step's log in numbers. */
export interface StepLog {
  /** Lines that have ended. */
  whole: number;
  /** Those and the one that has not ended yet. */
  lines: number;
  /** The number of its newest piece: it changes whenever the log grows. */
  newest: number;
}

/** How the first line of a block begins. */
export interface BlockStart {
  style: TextStyle;
  /** The group that goes on in it. */
  group: string | undefined;
}

/** Where a block of lines begins. */
type Mark = BlockStart & { seq: number; offset: number };

interface Index {
  last: number;
  /** `head`: the beginning of the line that has not ended. */
  steps: Map<number, StepLog & BlockStart & { marks: Mark[]; head: string }>;
  reading: Promise<unknown>;
}

const START: BlockStart = { style: PLAIN, group: undefined };

/** Finds lines in logs, which the store keeps as the pieces in which they came. What was read once is not read again. */
export interface LogIndexes {
  /** The lines of each step so far, by the step's index; -1 for what is said before the first. */
  count(run: string): Promise<ReadonlyMap<number, StepLog>>;
  /** Lines `from` (a multiple of `BLOCK`) up to the end of its block. */
  block(run: string, step: number, from: number): Promise<{ lines: LogLine[]; start: BlockStart }>;
}

export function createLogIndexes(store: Pick<Store, 'logs'>): LogIndexes {
  const known = new Map<string, Index>();

  async function upToDate(run: string): Promise<Index> {
    let index = known.get(run);
    known.delete(run);
    index ??= { last: -1, steps: new Map(), reading: Promise.resolve() };
    known.set(run, index);
    if (known.size > MOST) known.delete([...known.keys()][0] ?? '');
    const current = index;
    // One after the other: each goes on where the one before has stopped.
    const read = current.reading.then(() => readOn(store, run, current));
    current.reading = read.catch(() => undefined);
    await read;
    return current;
  }

  return {
    count: async (run) => (await upToDate(run)).steps,

    async block(run, step, from) {
      const mark = (await upToDate(run)).steps.get(step)?.marks[from / BLOCK];
      if (mark === undefined) return { lines: [], start: START };
      return { lines: await readBlock(store, run, step, from, mark), start: mark };
    },
  };
}

async function readOn(store: Pick<Store, 'logs'>, run: string, index: Index): Promise<void> {
  for (;;) {
    const chunks = await store.logs.read(run, index.last, CHUNKS_AT_ONCE);
    for (const chunk of chunks) note(index, chunk);
    if (chunks.length < CHUNKS_AT_ONCE) return;
  }
}

function note(index: Index, { seq, step, text }: LogChunk): void {
  index.last = seq;
  let log = index.steps.get(step);
  if (log === undefined) {
    log = {
      whole: 0,
      lines: 0,
      newest: seq,
      head: '',
      marks: [{ seq, offset: 0, ...START }],
      ...START,
    };
    index.steps.set(step, log);
  }
  log.newest = seq;
  let from = 0;
  for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
    const piece = text.slice(from, end);
    const group = groupOf(log.head + piece.slice(0, GROUP_HEAD));
    if (group !== undefined) log.group = group === 'end' ? undefined : group.name;
    log.style = styleOf(piece, log.style);
    log.head = '';
    from = end + 1;
    log.whole += 1;
    const { style, group: open } = log;
    if (log.whole % BLOCK === 0) log.marks.push({ seq, offset: from, style, group: open });
  }
  const rest = text.slice(from);
  log.head = (log.head + rest).slice(0, GROUP_HEAD);
  log.style = styleOf(rest, log.style);
  log.lines = rest === '' && from > 0 ? log.whole : log.whole + 1;
}

function styleOf(text: string, before: TextStyle): TextStyle {
  return text.includes('\u001B') ? styleAfter(text, before) : before;
}

async function readBlock(
  store: Pick<Store, 'logs'>,
  run: string,
  step: number,
  from: number,
  mark: Mark,
): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  let open: LogLine | undefined;
  let last = mark.seq - 1;
  for (;;) {
    const chunks = await store.logs.read(run, last, CHUNKS_AT_ONCE);
    for (const chunk of chunks) {
      last = chunk.seq;
      if (chunk.step !== step) continue;
      const text = chunk.seq === mark.seq ? chunk.text.slice(mark.offset) : chunk.text;
      const pieces = text.split('\n');
      for (const [place, piece] of pieces.entries()) {
        const isLast = place === pieces.length - 1;
        if (piece !== '' || !isLast) {
          open ??= { number: from + lines.length, at: chunk.at, stream: chunk.stream, text: '' };
          open.text += piece;
        }
        if (isLast) break;
        if (open !== undefined) lines.push(open);
        open = undefined;
        if (lines.length === BLOCK) return lines;
      }
    }
    if (chunks.length < CHUNKS_AT_ONCE) break;
  }
  return open === undefined ? lines : [...lines, open];
}

/** Every line of a log, of each step in its order; of several steps at once only where they were. */
export async function* linesOf(
  store: Pick<Store, 'logs'>,
  run: string,
): AsyncGenerator<LogLine & { step: number }> {
  const open = new Map<number, LogLine & { step: number }>();
  const counts = new Map<number, number>();
  let last = -1;
  for (;;) {
    const chunks = await store.logs.read(run, last, CHUNKS_AT_ONCE);
    for (const { seq, step, at, stream, text } of chunks) {
      last = seq;
      const pieces = text.split('\n');
      for (const [place, piece] of pieces.entries()) {
        const isLast = place === pieces.length - 1;
        if (piece === '' && isLast) break;
        const line = open.get(step) ?? {
          step,
          number: counts.get(step) ?? 0,
          at,
          stream,
          text: '',
        };
        line.text += piece;
        open.set(step, line);
        if (isLast) break;
        yield line;
        counts.set(step, line.number + 1);
        open.delete(step);
      }
    }
    if (chunks.length < CHUNKS_AT_ONCE) break;
  }
  yield* open.values();
}
