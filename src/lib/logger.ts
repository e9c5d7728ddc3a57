import { pino, type Logger } from 'pino';

export type { Logger };

/**
 * The process's logger. Messages are static, data goes into fields; payloads, tokens and secrets are never fields.
 * `pretty` is for a person at a terminal, `json` for everything else.
 */
export function createLogger(options: { level: string; format: 'json' | 'pretty' }): Logger {
  return pino({
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    ...(options.format === 'pretty'
      ? {
          transport: { target: 'pino-pretty', options: { ignore: 'pid,hostname', destination: 2 } },
        }
      : {}),
  });
}
