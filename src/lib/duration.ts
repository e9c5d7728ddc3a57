const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of `"90s"`, `"15m"`, `"1h30m"`, `"250ms"`; undefined when the text is not a duration. */
export function parseDuration(text: string): number | undefined {
  if (!/^(?:\d{1,9}(?:ms|s|m|h|d))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)(ms|s|m|h|d)/g)) {
    total += Number(amount) * UNITS[unit as keyof typeof UNITS];
  }
  return total;
}

/** A duration as people write it: `850ms`, `12.3s`, `4m 05s`, `2h 10m`. */
export function formatDuration(ms: number): string {
  // Cut and not rounded, so that 59.99 s do not read as 60.0s.
  if (ms < 1000) return `${Math.trunc(ms)}ms`;
  if (ms < 60_000) return `${(Math.trunc(ms / 100) / 10).toFixed(1)}s`;
  const pad = (n: number) => String(n).padStart(2, '0');
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes}m ${pad(Math.floor(ms / 1000) % 60)}s`;
  return `${Math.floor(minutes / 60)}h ${pad(minutes % 60)}m`;
}
