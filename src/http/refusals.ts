import type { Clock } from '../lib/clock.ts';
import { describeError, hintOf, MainsheetError, withoutStack } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { isPrivateAddress, senderOf } from '../lib/networks.ts';
import type { Client } from './client-address.ts';
import type { Metrics } from './metrics.ts';
import { ProblemError } from './problem.ts';
import { createRateLimit } from './rate-limit.ts';

/** Refused requests of one address before it has to wait, and lines that the log has of one. */
const MOST = { count: 30, perMs: 60_000 };

/** What a sender with the right secret does not bring about. */
const FAILURES = new Set([
  'hook-unknown',
  'bad-signature',
  'address-refused',
  'certificate-refused',
]);

/** Of what is refused for its rate the reason was logged before; what went wrong inside is logged where it did. */
const LOGGED_ELSEWHERE = new Set(['too-many-requests', 'not-stored', 'internal']);

/** What becomes of requests that are not taken: counted, logged with the reason, and held off where they are many. */
export interface Refusals {
  /** What to answer to an address of which many were refused: ProblemError 429. */
  check(client: () => Client): ProblemError | undefined;
  /** `about`: what the log says of it beside the reason. */
  note(client: Client, about: object, error: unknown): void;
}

export function createRefusals(deps: {
  clock: Clock;
  logger: Logger;
  metrics: Pick<Metrics, 'rejected'>;
}): Refusals {
  const limits = createRateLimit(deps.clock);
  const lines = createRateLimit(deps.clock);
  let isQuiet = true;

  return {
    check(client) {
      // Nothing was refused yet: it need not be found out who asks.
      if (isQuiet) return undefined;
      const key = keyOf(client());
      if (key === undefined) return undefined;
      const what = 'too many requests from this address were refused';
      return refusalFor(limits.wait(key, MOST), what);
    },

    note(client, about, error) {
      const code = codeOf(error);
      if (code === 'stopping') return;
      deps.metrics.rejected.inc({ code });
      const key = keyOf(client);
      if (key !== undefined && FAILURES.has(code)) {
        isQuiet = false;
        limits.take(key, MOST);
      }
      if (LOGGED_ELSEWHERE.has(code)) return;
      if (lines.wait(client.address, MOST) > 0) return;
      lines.take(client.address, MOST);
      const fields = {
        ...about,
        from: client.address,
        code,
        error: describeError(error),
        hint: hintOf(error),
      };
      deps.logger.warn(fields, 'webhook refused');
    },
  };
}

/** By which a refusal is counted. */
export function codeOf(error: unknown): string {
  return error instanceof MainsheetError ? error.code : 'internal';
}

/** ProblemError 429 when there is something to wait for. */
export function refusalFor(waitMs: number, message: string): ProblemError | undefined {
  if (waitMs === 0) return undefined;
  const headers = { 'Retry-After': String(Math.ceil(waitMs / 1000)) };
  return withoutStack(() => new ProblemError(429, 'too-many-requests', message, { headers }));
}

/** What of an address fails counts by this key; undefined for one that may be a proxy's, behind which others stand. */
function keyOf({ address, isForwarded }: Client): string | undefined {
  if (!isForwarded && isPrivateAddress(address)) return undefined;
  return senderOf(address);
}
