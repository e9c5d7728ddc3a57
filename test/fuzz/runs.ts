/**
 * How often a property is tried: `times` in `npm test`, and as many times more as MAINSHEET_FUZZ_FACTOR says. On a failure
 * fast-check prints the seed and the path with which `{ seed, path }` beside `numRuns` repeats it.
 */
export function runs(times: number): { numRuns: number } {
  const factor = Number(process.env['MAINSHEET_FUZZ_FACTOR'] ?? '1');
  return { numRuns: Math.ceil(times * (factor > 0 ? factor : 1)) };
}
