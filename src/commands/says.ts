import { cleanLine } from '../lib/clean-text.ts';
import type { Said } from '../spec/says.ts';
import type { Terminal } from './terminal.ts';

/** As a server tells it that may be older. */
export type Shown = Omit<Said, 'default'> & { default?: boolean | undefined };

/** The option of commands that say it, and what it means. */
export const SAY_ALL = ['--all', 'also say what the specs leave to the default'] as const;

/** Prints what a spec says of its runs, each in a line; with `all` also what it leaves to the default. */
export function sayWhatItSays(
  terminal: Terminal,
  says: readonly Shown[] = [],
  all: boolean = false,
): void {
  for (const { key, detail, default: isDefault = false } of says) {
    if (isDefault && !all) continue;
    terminal.line(`  → ${cleanLine(key === 'gates' ? 'waits' : key)}: ${cleanLine(detail)}`);
  }
}
