import type { Style } from './terminal.ts';

/** The colours of the states of runs and places. */
export const STATE_STYLES: Record<string, Style> = {
  queued: 'yellow',
  blocked: 'yellow',
  paused: 'yellow',
  running: 'cyan',
  succeeded: 'green',
  failed: 'red',
  cancelled: 'dim',
  superseded: 'dim',
};
