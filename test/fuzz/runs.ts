/**
 * How often a property is tried: `times` in `npm test`, with the same values each time, and as many times more, with others each
 * time, as MAINSHEET_FUZZ_FACTOR says. On a failure fast-check prints the seed and the path with which `{ seed, path }` beside
 * `numRuns` repeats it.
 */
export function runs(times: number): { numRuns: number; seed?: number } {
  const factor = Number(process.env['MAINSHEET_FUZZ_FACTOR'] ?? '0');
  return factor > 0 ? { numRuns: Math.ceil(times * factor) } : { numRuns: times, seed: SEED };
}

/** Any number would do. */
const SEED = 1;
