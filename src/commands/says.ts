import { cleanLine } from '../lib/clean-text.ts';
import type { Said } from '../spec/says.ts';
import type { Terminal } from './terminal.ts';

/** Prints what a spec says of its runs, each in a line. */
export function sayWhatItSays(terminal: Terminal, says: readonly Said[] = []): void {
  for (const { key, detail } of says) {
    terminal.line(`  → ${cleanLine(key === 'gates' ? 'waits' : key)}: ${cleanLine(detail)}`);
  }
}
