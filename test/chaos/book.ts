import { readFile } from 'node:fs/promises';

/** One line of the book that steps write: who does what in which lane. Their order in the file is the order in time. */
export interface BookLine {
  what: string;
  lane: string;
  run: string;
  step: string;
  /** One start of one step. */
  writer: string;
  /** What the commit says of itself. */
  mark: string;
}

/** The lines in the order in which they were written. A file that is not there yet has none. */
export async function readBook(path: string): Promise<BookLine[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [what = '', lane = '', run = '', step = '', pid = '', mark = ''] = line.split(' ');
      return { what, lane, run, step, writer: `${run}/${step}/${pid}`, mark };
    });
}

/** A run that wrote in a lane after another had started there: two deployments at once. */
export function overlaps(lines: readonly BookLine[]): string[] {
  const current = new Map<string, string>();
  const problems: string[] = [];
  for (const { what, lane, writer } of lines) {
    const holder = current.get(lane);
    if (what === 'start') current.set(lane, writer);
    else if (holder !== writer) {
      problems.push(`lane ${lane}: ${writer} was at work after ${holder} had started`);
    }
  }
  return [...new Set(problems)];
}

/** How often a step was begun that had been begun before: each time a controller had died, or was taken for dead. */
export function restarts(lines: readonly BookLine[]): number {
  const starts = lines.filter(({ what }) => what === 'start');
  return starts.length - new Set(starts.map(({ run, step }) => `${run}/${step}`)).size;
}
