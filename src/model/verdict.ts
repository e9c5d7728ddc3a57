/** One condition that was looked at, and whether it held. */
export interface Reason {
  /** Which condition: `repository`, `on.push.branches`, `if`, … */
  condition: string;
  held: boolean;
  /** What was compared with what, for people. */
  detail: string;
}

/** A decision with everything that led to it, so that explaining it needs no second implementation. */
export interface Verdict {
  matched: boolean;
  reasons: Reason[];
}

export function held(condition: string, detail: string): Verdict {
  return { matched: true, reasons: [{ condition, held: true, detail }] };
}

export function failed(condition: string, detail: string): Verdict {
  return { matched: false, reasons: [{ condition, held: false, detail }] };
}

/** All must hold; every reason is kept, also those after the first that did not hold. */
export function allOf(verdicts: readonly Verdict[]): Verdict {
  // Loops, because this is done for each spec and delivery: `every` and `flatMap` took a fiftieth of the time of a delivery.
  const all: Verdict = { matched: true, reasons: [] };
  for (const { matched, reasons } of verdicts) {
    all.matched &&= matched;
    all.reasons.push(...reasons);
  }
  return all;
}
