/** Looks for many texts ("forms") at once in a text that comes in pieces. State 0 is the state before the first piece. */
export interface TextSearch {
  /** Reads `text` from `from` on, reports the longest form that ends at each position, and returns the new state. */
  scan(
    state: number,
    text: string,
    from: number,
    found: (start: number, end: number) => void,
  ): number;
  /** How many of the characters read last may be the start of a form that is not complete yet. */
  open(state: number): number;
}

/**
 * A search for non-empty `forms` that reads each character once, however many forms there are: the automaton of
 * Aho and Corasick (https://doi.org/10.1145/360825.360855). Memory is some 22 bytes for each character of the forms.
 */
export function createTextSearch(forms: readonly string[]): TextSearch {
  const size = forms.reduce((sum, form) => sum + form.length, 1);
  const roots = new Int32Array(0x10000);
  const unit = new Uint16Array(size);
  const child = new Int32Array(size);
  const sibling = new Int32Array(size);
  const fallback = new Int32Array(size);
  const depth = new Int32Array(size);
  const open = new Int32Array(size);
  /** Length of the longest form that ends in this state; 0 for none. */
  const match = new Int32Array(size);
  let states = 1;

  const step = (state: number, code: number): number => {
    if (state === 0) return roots[code] ?? 0;
    let next = child[state] ?? 0;
    while (next !== 0 && unit[next] !== code) next = sibling[next] ?? 0;
    return next;
  };
  const follow = (from: number, code: number): number => {
    let state = from;
    let next = step(state, code);
    while (next === 0 && state !== 0) {
      state = fallback[state] ?? 0;
      next = step(state, code);
    }
    return next;
  };
  const add = (parent: number, code: number): number => {
    const state = states;
    states += 1;
    unit[state] = code;
    depth[state] = (depth[parent] ?? 0) + 1;
    if (parent === 0) {
      roots[code] = state;
    } else {
      sibling[state] = child[parent] ?? 0;
      child[parent] = state;
    }
    return state;
  };

  for (const form of forms) {
    let state = 0;
    for (let index = 0; index < form.length; index += 1) {
      const code = form.charCodeAt(index);
      state = step(state, code) || add(state, code);
    }
    match[state] = form.length;
  }
  // Breadth first, so that a state's fallback, which is nearer to the root, is complete before it is used.
  const order = [...new Set(forms.map((form) => roots[form.charCodeAt(0)] ?? 0))];
  for (let index = 0; index < order.length; index += 1) {
    const state = order[index] ?? 0;
    const shorter = fallback[state] ?? 0;
    match[state] ||= match[shorter] ?? 0;
    open[state] = (child[state] === 0 ? open[shorter] : depth[state]) ?? 0;
    for (let next = child[state] ?? 0; next !== 0; next = sibling[next] ?? 0) {
      fallback[next] = follow(shorter, unit[next] ?? 0);
      order.push(next);
    }
  }

  const skip = createSkip(forms);
  return {
    scan(from, text, start, found) {
      let state = from;
      let index = start;
      while (index < text.length) {
        // Nearly all text is no part of any secret: how fast it is skipped decides how fast a log is masked.
        if (state === 0) index = skip(text, index);
        if (index === text.length) break;
        state = follow(state, text.charCodeAt(index));
        index += 1;
        const length = match[state] ?? 0;
        if (length !== 0) found(index - length, index);
      }
      return state;
    },
    open: (state) => open[state] ?? 0,
  };
}

/** From `from` on, the first position in a text at which a form may start: the text's length when there is none. */
function createSkip(forms: readonly string[]): (text: string, from: number) => number {
  // Which two characters a form may start with, as a set of hashes: a false candidate costs time, no more.
  const pairs = new Uint8Array(0x10000);
  for (const form of forms) {
    const first = form.charCodeAt(0);
    if (form.length > 1) pairs[pairHash(first, form.charCodeAt(1))] = 1;
    else for (let second = 0; second < 0x10000; second += 1) pairs[pairHash(first, second)] = 1;
  }
  return (text, from) => {
    if (forms.length === 0) return text.length;
    const last = text.length - 1;
    let first = text.charCodeAt(from);
    for (let index = from; index < last; index += 1) {
      const second = text.charCodeAt(index + 1);
      if (pairs[pairHash(first, second)] === 1) return index;
      first = second;
    }
    // Of the last character nobody knows yet what follows.
    return Math.max(from, last);
  };
}

function pairHash(first: number, second: number): number {
  return ((first << 8) ^ second) & 0xffff;
}
