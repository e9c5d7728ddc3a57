/** One place in a pattern. The place after the last one is the end: being there when the text ends is a match. */
export interface State {
  /** Whether the state reads this character (one code point). */
  reads: (character: string) => boolean;
  /** Having read a character, stay for more of them instead of going on. */
  stays: boolean;
  /** States that can be entered from here without reading anything; always further on. */
  skipsTo: readonly number[];
}

/**
 * Whether the states read the whole text. All states that could be active are followed side by side (Thompson's set
 * simulation), so no text can make it backtrack: it takes at most (states + 1) × (characters + 1) steps, which is what
 * `steps` counts.
 */
export function runAutomaton(
  states: readonly State[],
  text: string,
): { accepted: boolean; steps: number } {
  let active: boolean[] = [true];
  let steps = spread(states, active);
  for (const character of text) {
    const next: boolean[] = [];
    for (const [index, state] of states.entries()) {
      if (active[index] === true && state.reads(character))
        next[state.stays ? index : index + 1] = true;
    }
    if (next.length === 0) return { accepted: false, steps };
    active = next;
    steps += spread(states, active);
  }
  return { accepted: active[states.length] === true, steps };
}

/** Activates all that can be reached without reading. Skips go forward only, so one pass is enough. */
function spread(states: readonly State[], active: boolean[]): number {
  for (const [index, state] of states.entries()) {
    if (active[index] !== true) continue;
    for (const target of state.skipsTo) active[target] = true;
  }
  return states.length + 1;
}
