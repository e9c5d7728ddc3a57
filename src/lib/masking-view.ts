import { LONGEST_ESCAPE, type Escape } from './escapes.ts';
import type { TextSearch } from './text-search.ts';

/** Two positions in a stream: [start, end). */
export type Span = [start: number, end: number];

/** How a stream is read: which escapes stand for characters, the outermost first, and what becomes of each character then. */
export interface Reading {
  escapes: readonly Escape[];
  /** The unit that is searched for in the place of another; `LEFT_OUT` for none. */
  fold?: (code: number) => number;
}

export const LEFT_OUT = -1;

/** One way in which a stream is read, with all forms that are found in it. Positions count from the start of the stream. */
export interface View {
  /** What belongs to a form: apart from each other, in order. */
  spans: Span[];
  /** Reads `text`, which begins at `position` and follows what was read before. */
  read(text: string, position: number): void;
  /** How far it is certain what belongs to a form. `position`: the end of what was read. */
  certain(position: number): number;
  /** To be called at the stream's end: what waits for more is read as it is. The view is then as new. */
  end(): void;
  /** Whether there may be an escape in a text. */
  hasEscape(text: string): boolean;
  /** Whether nothing is open here but what is open in `other`, which has the same search and has read the same. */
  isLike(other: View): boolean;
  /** Makes it what `other` is: for a view that was like it, after text without escapes that only the other has read. */
  follow(other: View): void;
  /** The search's state, and where the units that led to it start. */
  open(): { state: number; starts: readonly number[] };
}

/** Line breaks and the like may stand between the units of a form, but not more of them than this, one after the other. */
const LONGEST_GAP = 256;

export function createView(search: TextSearch, { escapes, fold = (code) => code }: Reading): View {
  const view: View = {
    spans: [],
    read,
    certain,
    end,
    hasEscape: (text) => escapes.some(({ lead }) => text.includes(lead)),
    isLike(other) {
      const theirs = other.open();
      const depth = search.open(state);
      if (state !== theirs.state || !isClear()) return false;
      return depth === 0 || starts.at(-depth) === theirs.starts.at(-depth);
    },
    follow(other) {
      ({ state } = other.open());
      starts = [...other.open().starts];
    },
    open: () => ({ state, starts }),
  };
  let state = 0;
  let gap = 0;
  /** Where the units read last start, at least as many as the state is deep. */
  let starts: number[] = [];
  const stages = escapes.toReversed().reduce<Stage[]>((later, escape) => {
    return [createStage(escape, later[0]?.write ?? accept), ...later];
  }, []);
  const write = stages[0]?.write ?? accept;
  const skip = createSkip(search, { escapes, fold });
  return view;

  /** Whether no escape is open. */
  function isClear(): boolean {
    return stages.every((stage) => stage.isEmpty());
  }

  function accept(code: number, start: number, finish: number): void {
    const folded = fold(code);
    if (folded === LEFT_OUT) {
      gap += 1;
      if (gap > LONGEST_GAP) forget();
      return;
    }
    gap = 0;
    state = search.next(state, folded);
    if (state === 0) {
      if (starts.length > 0) starts = [];
      return;
    }
    starts.push(start);
    if (starts.length > 2 * search.longest) starts = starts.slice(-search.longest);
    const length = search.match(state);
    if (length !== 0) cover(view.spans, starts.at(-length) ?? start, finish);
  }

  function read(text: string, position: number): void {
    for (let index = 0; index < text.length; index += 1) {
      // Nearly all text is no part of any secret: how fast it is passed over decides how fast a log is masked.
      if (state === 0 && isClear()) {
        index = skip(text, index);
        if (index === text.length) return;
      }
      write(text.charCodeAt(index), position + index, position + index + 1);
    }
  }

  function certain(position: number): number {
    const open = search.open(state);
    const waiting = stages.map((stage) => stage.since() ?? position);
    return Math.min(position, ...waiting, open === 0 ? position : (starts.at(-open) ?? position));
  }

  function end(): void {
    for (const stage of stages) stage.settle(true);
    forget();
  }

  function forget(): void {
    state = 0;
    gap = 0;
    starts = [];
  }
}

type Write = (code: number, start: number, end: number) => void;

/** Turns what an escape stands for into that, and hands everything on. */
interface Stage {
  write: Write;
  isEmpty(): boolean;
  /** Where the text begins that waits for what follows. */
  since(): number | undefined;
  /** Reads what waits, with `final` all of it. */
  settle(final: boolean): void;
}

function createStage({ lead, read }: Escape, next: Write): Stage {
  const code = lead.charCodeAt(0);
  /** What waits, and where each of its units is from. */
  let text = '';
  let starts: number[] = [];
  let ends: number[] = [];

  function settle(final: boolean): void {
    while (text !== '') {
      const escaped =
        text.charCodeAt(0) === code
          ? read(text, final || text.length >= LONGEST_ESCAPE)
          : undefined;
      if (escaped === 'open') return;
      const plain = escaped?.text ?? text.charAt(0);
      const length = escaped?.length ?? 1;
      const start = starts[0] ?? 0;
      const end = ends[length - 1] ?? 0;
      if (length === text.length) {
        text = '';
        starts.length = 0;
        ends.length = 0;
      } else {
        text = text.slice(length);
        starts = starts.slice(length);
        ends = ends.slice(length);
      }
      for (let index = 0; index < plain.length; index += 1) {
        next(plain.charCodeAt(index), start, end);
      }
    }
  }

  return {
    write(unit, start, end) {
      if (text === '' && unit !== code) {
        next(unit, start, end);
        return;
      }
      text += String.fromCharCode(unit);
      starts.push(start);
      ends.push(end);
      settle(false);
    },
    isEmpty: () => text === '',
    since: () => (text === '' ? undefined : starts[0]),
    settle,
  };
}

const MAY_BEGIN = 1;
const MAY_CHANGE = 2;
/** Units from here on are looked at as one. */
const OTHERS = 256;

/** From an index on, the first in a text at which a form may begin: the text's length when there is none. */
function createSkip(
  search: TextSearch,
  { escapes, fold }: Required<Reading>,
): (text: string, from: number) => number {
  const kinds = new Uint8Array(OTHERS + 1);
  for (let code = 0; code < OTHERS; code += 1) {
    const folded = fold(code);
    if (folded === LEFT_OUT) kinds[code] = MAY_CHANGE;
    else if (search.next(0, folded) !== 0) kinds[code] = MAY_BEGIN;
  }
  kinds[OTHERS] = MAY_BEGIN;
  for (const { lead } of escapes) kinds[lead.charCodeAt(0)] = MAY_BEGIN | MAY_CHANGE;

  return (text, from) => {
    for (let index = from; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      const kind = kinds[code < OTHERS ? code : OTHERS] ?? 0;
      if ((kind & MAY_BEGIN) === 0) continue;
      // Of the last unit it is not known yet what follows.
      if (kind !== MAY_BEGIN || index + 1 === text.length) return index;
      const second = text.charCodeAt(index + 1);
      const change = (kinds[second < OTHERS ? second : OTHERS] ?? 0) & MAY_CHANGE;
      if (change !== 0 || search.begins(fold(code), fold(second))) return index;
    }
    return text.length;
  };
}

/** Adds a span that ends after all others, swallowing those that it overlaps or touches. */
export function cover(spans: Span[], start: number, end: number): void {
  let from = start;
  let last = spans.at(-1);
  while (last !== undefined && last[1] >= from) {
    from = Math.min(from, last[0]);
    spans.pop();
    last = spans.at(-1);
  }
  spans.push([from, end]);
}
