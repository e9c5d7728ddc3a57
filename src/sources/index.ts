import type { Source } from './contract.ts';
import { github } from './github/source.ts';

/** Who may start something. */
export const SOURCES = {
  github,
} as const satisfies Record<string, Source>;
