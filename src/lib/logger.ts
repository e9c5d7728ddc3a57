import { pino, type Logger } from 'pino';

export type { Logger };

/** Bytes of lines that wait for a reader; more are lost. */
const MOST_WAITING = 16 * 1024 * 1024;

/**
 * The process's logger. Messages are static, data goes into fields; payloads, tokens and secrets are never fields.
 * `pretty` is for a person at a terminal, on standard error; `json` for everything else, on standard output: in order, and written
 * when the call returns as long as a reader takes it. Nothing waits for a reader that does not: lines are kept for a while then, and when
 * they are too many some are lost, which the log says afterwards.
 */
export function createLogger(options: { level: string; format: 'json' | 'pretty' }): Logger {
  const common = {
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (options.format === 'pretty') {
    const transport = {
      target: 'pino-pretty',
      options: { ignore: 'pid,hostname', destination: 2 },
    };
    return pino({ ...common, transport });
  }
  const { stdout } = process;
  let lost = 0;
  const logger = pino(common, {
    write(line: string) {
      if (stdout.writableLength > MOST_WAITING) lost += 1;
      else stdout.write(line);
    },
  });
  stdout.on('drain', () => {
    if (lost === 0) return;
    const lines = lost;
    lost = 0;
    logger.warn({ lines }, 'log lines were lost: no reader took them');
  });
  // A full disk, a reader that has gone: there is no place left to tell it, and the next line may be written again.
  stdout.on('error', () => undefined);
  return logger;
}

/** For work that is not to be logged. */
export const silentLogger: Logger = pino({ enabled: false }, { write: () => undefined });
