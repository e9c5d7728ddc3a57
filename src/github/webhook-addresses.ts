import * as z from 'zod';
import { describeError, hintOf, TerminalError } from '../lib/errors.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { createNetworks, parseNetwork } from '../lib/networks.ts';
import { createBoundedFetch } from './bounded-fetch.ts';

/** A list that is older is asked for again. */
const OLD_MS = 60 * 60_000;
const REQUEST_MS = 10_000;
/** GitHub's whole answer has some 200 KB. */
const MOST_BYTES = 4 * 1024 * 1024;

/** What to do where GitHub cannot be asked. */
const LIST_THEM = 'list them instead: GITHUB_WEBHOOK_ADDRESSES=192.0.2.0/24';

/** GitHub's list has a handful of networks, none of which is a large part of the internet. */
const networks = z
  .array(
    z
      .string()
      .max(60)
      .refine((text) => (parseNetwork(text)?.prefix ?? 0) >= 8),
  )
  .min(1)
  .max(1000);

/** From where GitHub sends webhooks, as it says itself: https://docs.github.com/en/rest/meta/meta#get-github-meta-information */
export interface WebhookAddresses {
  /** By the list that was had last. Nothing is allowed while there never was one. */
  allows(address: string): boolean;
  /** Reads what was kept, and asks for the list where that is old. What goes wrong is logged, and the last list stays in use. */
  refresh(signal: AbortSignal): Promise<void>;
}

export function createWebhookAddresses(deps: {
  apiUrl: string;
  fetch: typeof fetch;
  /** What was kept: JSON; undefined: nothing. */
  read: () => Promise<string | undefined>;
  keep: (text: string) => Promise<void>;
  clock: Pick<Clock, 'now'>;
  logger: Logger;
}): WebhookAddresses {
  const { clock, logger } = deps;
  const ask = createBoundedFetch({
    timeoutMs: REQUEST_MS,
    maxBytes: MOST_BYTES,
    fetch: deps.fetch,
  });
  let isAllowed: ((address: string) => boolean) | undefined;
  let at = Number.NEGATIVE_INFINITY;

  function use(list: readonly string[], since: number): void {
    isAllowed = createNetworks(list);
    at = since;
  }

  async function useKept(): Promise<void> {
    try {
      const text = await deps.read();
      const kept = z.object({ at: z.number(), networks }).safeParse(JSON.parse(text ?? 'null'));
      if (kept.success) use(kept.data.networks, Math.min(kept.data.at, clock.now()));
    } catch (error) {
      logger.warn({ error: describeError(error) }, 'kept addresses of GitHub cannot be read');
    }
  }

  async function askGitHub(signal: AbortSignal): Promise<string[]> {
    const headers = { accept: 'application/vnd.github+json', 'user-agent': 'mainsheet' };
    const response = await ask(`${deps.apiUrl}/meta`, { headers, signal });
    if (!response.ok) {
      throw new TerminalError('github-refused', `GitHub answered ${response.status} to /meta`);
    }
    const answer = z.object({ hooks: networks }).safeParse(await response.json());
    if (answer.success) return answer.data.hooks;
    throw new TerminalError('github-unexpected', 'GitHub names no addresses of webhooks in /meta', {
      hint: LIST_THEM,
    });
  }

  return {
    allows: (address) => isAllowed?.(address) ?? false,

    async refresh(signal) {
      if (isAllowed === undefined) await useKept();
      if (clock.now() - at < OLD_MS) return;
      try {
        const list = await askGitHub(signal);
        use(list, clock.now());
        await deps.keep(JSON.stringify({ at, networks: list }));
      } catch (error) {
        if (signal.aborted) return;
        const fields = { error: describeError(error), hint: hintOf(error) ?? LIST_THEM };
        if (isAllowed === undefined) {
          logger.error(fields, 'GitHub does not say from where it sends: its requests are refused');
        } else {
          logger.warn(
            fields,
            'GitHub does not say from where it sends: the last list stays in use',
          );
        }
      }
    },
  };
}
