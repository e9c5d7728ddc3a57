import { pino } from 'pino';
import type { Logger } from '../../src/lib/logger.ts';

/** A logger, and what it was told. */
export function recordLog(): { logger: Logger; log: Record<string, unknown>[] } {
  const log: Record<string, unknown>[] = [];
  const write = (line: string) => void log.push(JSON.parse(line) as Record<string, unknown>);
  return { logger: pino({ base: null }, { write }), log };
}
