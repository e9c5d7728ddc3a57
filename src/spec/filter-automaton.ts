/** Characters (code points): these, or with `complement` all but these. */
export interface CharacterSet {
  members: ReadonlySet<string>;
  complement: boolean;
}

/** One place in a pattern. The place after the last one is the end: being there when the text ends is a match. */
export interface State {
  reads: CharacterSet;
  /** Having read a character, stay for more of them instead of going on. */
  stays: boolean;
  /** States that can be entered from here without reading anything; always further on. */
  skipsTo: readonly number[];
}

/** Many patterns as one: a text is read once, however many they are. */
export interface Automaton {
  /**
   * The patterns that read the whole text, by their places in the list, upwards. Texts that end in the same state get the very
   * same list as long as it is remembered.
   */
  accepts(text: string): readonly number[];
  /** What was done so far: characters read, and states looked at to make new ones. */
  work(): number;
}

/** A set of states that can be active at the same time: what a deterministic automaton calls one state. */
interface Place {
  /** Upwards. */
  active: Int32Array;
  /** By character class; undefined until it was needed. */
  next: (Place | undefined)[];
  /** Undefined until it was asked for. */
  accepted: readonly number[] | undefined;
}

/** Entries of all `next` together; above that what is remembered is forgotten, and made again as it is needed. */
const MEMORY_LIMIT = 500_000;

/**
 * Follows all states that could be active side by side (Thompson), and remembers each set of them with where it leads (a
 * deterministic automaton that is made as it is needed). So no text can make it backtrack, reading a character is one look
 * into a table, and it never does more than (states + 3) × (characters + 1) steps a text.
 */
export function createAutomaton(
  patterns: readonly (readonly State[])[],
  memory = MEMORY_LIMIT,
): Automaton {
  const { states, ends } = joined(patterns);
  const alphabet = createAlphabet(states);
  const marks = new Uint32Array(states.length);
  let mark = 0;
  let work = 0;
  let known = new Map<string, Place>();
  let start = placeOf(enter(starts(patterns)));

  /** Forgets everything but the way back to the start. */
  function forget(): void {
    known = new Map();
    start = placeOf(start.active);
  }

  function placeOf(active: Int32Array): Place {
    const key = Buffer.from(active.buffer).toString('latin1');
    const found = known.get(key);
    if (found !== undefined) return found;
    const place = {
      active,
      next: Array.from<undefined>({ length: alphabet.size }),
      accepted: undefined,
    };
    known.set(key, place);
    return place;
  }

  /** These states and all that can be entered from them without reading. */
  function enter(entered: number[]): Int32Array {
    mark += 1;
    const all: number[] = [];
    for (let state = entered.pop(); state !== undefined; state = entered.pop()) {
      if (marks[state] === mark) continue;
      marks[state] = mark;
      all.push(state);
      entered.push(...(states[state]?.skipsTo ?? []));
    }
    return Int32Array.from(all).sort();
  }

  function advance(place: Place, character: number): Place {
    const entered: number[] = [];
    for (const index of place.active) {
      const state = states[index];
      if (state !== undefined && alphabet.isIn(character, state.reads)) {
        entered.push(state.stays ? index : index + 1);
      }
    }
    work += place.active.length + 1;
    if (known.size * alphabet.size > memory) forget();
    const next = placeOf(enter(entered));
    place.next[character] = next;
    return next;
  }

  return {
    accepts(text) {
      let place = start;
      let index = 0;
      while (index < text.length && place.active.length > 0) {
        const code = text.codePointAt(index) ?? 0;
        index += code > 0xffff ? 2 : 1;
        const character = alphabet.classOf(code);
        place = place.next[character] ?? advance(place, character);
      }
      work += index + 1;
      if (place.accepted === undefined) {
        work += place.active.length;
        place.accepted = [...place.active].flatMap((state) => ends.get(state) ?? []);
      }
      return place.accepted;
    },
    work: () => work,
  };
}

/** All patterns' states in one list, each pattern's followed by its end, which reads nothing. */
function joined(patterns: readonly (readonly State[])[]): {
  states: State[];
  ends: Map<number, number>;
} {
  const nothing = { members: new Set<string>(), complement: false };
  const states: State[] = [];
  const ends = new Map<number, number>();
  for (const [pattern, own] of patterns.entries()) {
    const base = states.length;
    for (const { reads, stays, skipsTo } of own) {
      states.push({ reads, stays, skipsTo: skipsTo.map((target) => base + target) });
    }
    ends.set(states.length, pattern);
    states.push({ reads: nothing, stays: false, skipsTo: [] });
  }
  return { states, ends };
}

function starts(patterns: readonly (readonly State[])[]): number[] {
  let next = 0;
  return patterns.map(({ length }) => {
    const start = next;
    next += length + 1;
    return start;
  });
}

/** Each character that a pattern names is a class of its own; all others are alike (class 0). */
function createAlphabet(states: readonly State[]) {
  const named = new Set(states.flatMap(({ reads }) => [...reads.members]));
  const characters = [undefined, ...named];
  const ascii = new Uint16Array(128);
  const others = new Map<number, number>();
  for (const [index, character] of characters.entries()) {
    const code = character?.codePointAt(0);
    if (code === undefined) continue;
    if (code < ascii.length) ascii[code] = index;
    else others.set(code, index);
  }
  return {
    size: characters.length,
    classOf: (code: number): number => (code < ascii.length ? ascii[code] : others.get(code)) ?? 0,
    isIn(index: number, { members, complement }: CharacterSet): boolean {
      const character = characters[index];
      return character === undefined ? complement : members.has(character) !== complement;
    },
  };
}
