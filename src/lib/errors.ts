import { inspect } from 'node:util';

/**
 * An error that Mainsheet throws on purpose. `code` is stable and machine-readable; `hint` says what to do about it.
 */
export class MainsheetError extends Error {
  override readonly name: string = 'MainsheetError';
  readonly code: string;
  readonly hint: string | undefined;

  constructor(
    code: string,
    message: string,
    options: { cause?: unknown; hint?: string | undefined } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}

/** Trying the same thing again cannot help: the request itself is wrong. */
export class TerminalError extends MainsheetError {
  override readonly name = 'TerminalError';
}

/** The same thing may well work later. `retryAfterMs` is a lower bound where the other side named one. */
export class RetryableError extends MainsheetError {
  override readonly name = 'RetryableError';
  readonly retryAfterMs: number | undefined;

  constructor(
    code: string,
    message: string,
    options: { cause?: unknown; hint?: string | undefined; retryAfterMs?: number | undefined } = {},
  ) {
    super(code, message, options);
    this.retryAfterMs = options.retryAfterMs;
  }
}

/**
 * Makes an error without where it was made, which takes as long to find out as much else about a request that is refused: for what is
 * no fault of this program, and may come often.
 */
export function withoutStack<Made extends Error>(make: () => Made): Made {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** What is to be done about anything that was thrown, where it says so. */
export function hintOf(error: unknown): string | undefined {
  return error instanceof MainsheetError ? error.hint : undefined;
}

/** The message of anything that was thrown, with the messages of its causes, each once. */
export function describeError(error: unknown): string {
  const messages: string[] = [];
  let current: unknown = error;
  // Counted by depth and not by messages: causes may go round in a circle.
  for (let depth = 0; current !== undefined && current !== null && depth < 5; depth += 1) {
    const message =
      current instanceof Error
        ? current.message
        : typeof current === 'string'
          ? current
          : inspect(current, { depth: 1 });
    if (message !== '' && !messages.some((earlier) => earlier.includes(message))) {
      messages.push(message);
    }
    current = current instanceof Error ? current.cause : undefined;
  }
  return messages.join(': ') || 'unknown error';
}

/** The `code` of an error of the system (`ENOENT`), or of ours; undefined for anything else. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
