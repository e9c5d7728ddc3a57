import { destination, pino, type Logger } from 'pino';

export type { Logger };

/**
 * The process's logger. Messages are static, data goes into fields; payloads, tokens and secrets are never fields.
 * `pretty` is for a person at a terminal, on standard error; `json` for everything else, on standard output: a line is written
 * when the call returns, so that the lines are in order and the last one before a crash is there.
 */
export function createLogger(options: { level: string; format: 'json' | 'pretty' }): Logger {
  const common = {
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (options.format === 'json') return pino(common, destination({ dest: 1, sync: true }));
  return pino({
    ...common,
    transport: { target: 'pino-pretty', options: { ignore: 'pid,hostname', destination: 2 } },
  });
}
