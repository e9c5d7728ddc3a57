/** Many texts ("forms") that are looked for at once in text that is read unit by unit. State 0 is the state before the first unit. */
export interface TextSearch {
  /** The state after one more UTF-16 unit. */
  next(state: number, code: number): number;
  /** Length of the longest form that ends in this state; 0 for none. */
  match(state: number): number;
  /** How many of the units read last may be the start of a form that is not complete yet. */
  open(state: number): number;
  /** Whether a form begins with these two units, or is the first alone. */
  begins(first: number, second: number): boolean;
  /** Length of the longest form. */
  longest: number;
}

/** The root's children for these units are in a table; nearly all text is made of them. */
const TABLE = 256;

/**
 * A search for non-empty `forms` that looks at each unit once, however many forms there are: the automaton of
 * Aho and Corasick (https://doi.org/10.1145/360825.360855). Memory is some 26 bytes for each character of the forms.
 */
export function createTextSearch(forms: readonly string[]): TextSearch {
  const size = forms.reduce((sum, form) => sum + form.length, 1);
  const roots = new Int32Array(TABLE);
  const unit = new Uint16Array(size);
  const child = new Int32Array(size);
  const sibling = new Int32Array(size);
  const fallback = new Int32Array(size);
  const depth = new Int32Array(size);
  const open = new Int32Array(size);
  const match = new Int32Array(size);
  let states = 1;

  const step = (state: number, code: number): number => {
    if (state === 0 && code < TABLE) return roots[code] ?? 0;
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
    sibling[state] = child[parent] ?? 0;
    child[parent] = state;
    if (parent === 0 && code < TABLE) roots[code] = state;
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
  const order: number[] = [];
  for (let next = child[0] ?? 0; next !== 0; next = sibling[next] ?? 0) order.push(next);
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

  return {
    next: follow,
    match: (state) => match[state] ?? 0,
    open: (state) => open[state] ?? 0,
    begins(first, second) {
      const state = step(0, first);
      return state !== 0 && (match[state] !== 0 || step(state, second) !== 0);
    },
    longest: forms.reduce((length, form) => Math.max(length, form.length), 0),
  };
}
