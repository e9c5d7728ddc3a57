import { formatDuration, parseDuration } from './duration.ts';

/** What each process of a step may use, where that is limited. */
export interface StepLimits {
  /** Seconds of computing, of each process. */
  cpu?: number;
  /** Bytes of address space, of each process. */
  memory?: number;
  /** Processes and threads of the steps' user, all steps together. */
  processes?: number;
  /** Open files, of each process. */
  files?: number;
}

export type LimitName = keyof StepLimits;

export const LIMIT_NAMES = ['cpu', 'memory', 'processes', 'files'] as const satisfies LimitName[];

/** How each is written, and the least and the most that it may be. */
export const LIMIT_FORMS: Record<LimitName, { least: number; most: number; rule: string }> = {
  cpu: { least: 1, most: 86_400, rule: 'whole seconds from 1s to 24h, such as 10m' },
  memory: { least: 2 ** 24, most: 2 ** 50, rule: 'a size from 16Mi to 1024Ti, such as 2Gi' },
  processes: { least: 1, most: 1_000_000, rule: 'a whole number from 1 to 1000000' },
  files: { least: 16, most: 1_000_000, rule: 'a whole number from 16 to 1000000' },
};

const UNITS: Record<string, number> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };

/** The number that `10m`, `512Mi` or `256` means for a limit; undefined when it means none, or is out of bounds. */
export function parseLimit(name: LimitName, text: string): number | undefined {
  const { least, most } = LIMIT_FORMS[name];
  const value = read(name, text);
  return Number.isSafeInteger(value) && value >= least && value <= most ? value : undefined;
}

/** As people write it: `10m 00s`, `2Gi`, `256`. */
export function formatLimit(name: LimitName, value: number): string {
  if (name === 'cpu') return formatDuration(value * 1000);
  if (name !== 'memory') return String(value);
  const [unit, size] = Object.entries(UNITS).findLast(([, bytes]) => value % bytes === 0) ?? [
    '',
    1,
  ];
  return `${value / size}${unit}`;
}

/** What a spec asks for within what the operator allows, who fills in what it does not ask for. */
export function limitsWithin(asked: StepLimits, allowed: StepLimits): StepLimits {
  const limits: StepLimits = {};
  for (const name of LIMIT_NAMES) {
    const values = [asked[name], allowed[name]].filter((value) => value !== undefined);
    if (values.length > 0) limits[name] = Math.min(...values);
  }
  return limits;
}

function read(name: LimitName, text: string): number {
  if (name === 'cpu') return (parseDuration(text) ?? Number.NaN) / 1000;
  const [, amount, unit] = /^(\d{1,12})(Ki|Mi|Gi|Ti)?$/.exec(text) ?? [];
  if (amount === undefined || (unit !== undefined && name !== 'memory')) return Number.NaN;
  return Number(amount) * (unit === undefined ? 1 : (UNITS[unit] ?? 1));
}
