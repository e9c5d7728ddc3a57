import { readFile, writeFile } from 'node:fs/promises';
import * as z from 'zod';
import type { Config } from '../config.ts';
import { tunnelFile } from '../config/tunnel-file.ts';
import { backoffDelay } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { describeError, MainsheetError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { readEventStream } from '../lib/read-event-stream.ts';
import { createFetch } from '../lib/way-out.ts';
import { parseJson } from '../lib/json.ts';

export interface TunnelDeps {
  /** A channel, or the address that makes one (`https://smee.io/new`). */
  tunnel: string;
  /** Where what comes is handed to: the webhook of this process. */
  webhookUrl: string;
  /** Where a channel that was made is kept. */
  dataDir: string;
  /** How requests to the channel get out. */
  fetch: typeof fetch;
  clock: Clock;
  logger: Logger;
}

/** The loop of the tunnel that is configured; none without one. */
export function openTunnel(deps: {
  config: Config;
  /** Where this process listens. */
  url: string;
  clock: Clock;
  logger: Logger;
}): { run: (signal: AbortSignal) => Promise<void> }[] {
  const { config, url, clock, logger } = deps;
  const { tunnel, dataDir } = config;
  if (tunnel === undefined) return [];
  const webhookUrl = `${url}/webhooks/v1/github`;
  return [
    createTunnel({ tunnel, webhookUrl, dataDir, fetch: createFetch(config.wayOut), clock, logger }),
  ];
}

/** Smee sends something at least every 30 seconds, as a proxy would cut an idle connection. */
const SILENCE_MS = 90_000;
const REQUEST_TIMEOUT_MS = 15_000;
const RECONNECT = { baseMs: 1000, maxMs: 30_000 };
/** Those that say what a delivery is and who signed it. The rest was about the connection to the channel. */
const FORWARDED = /^(?:x-(?:github|hub)-[\w-]{1,60}|user-agent)$/;

const eventSchema = z.looseObject({ body: z.json(), rawbody: z.string().optional() });

/**
 * Takes deliveries from a channel of smee.io to the webhook, for development on a machine without a public address. The webhook checks
 * signatures as ever. A channel that does not send the body as it came (`rawbody`) sends it as JSON that was read and written
 * again: then a body that GitHub writes in another way than JSON.stringify has a signature that does not fit, and is refused.
 *
 * https://docs.github.com/en/webhooks/using-webhooks/handling-webhook-deliveries
 */
export function createTunnel(deps: TunnelDeps): { run: (signal: AbortSignal) => Promise<void> } {
  const { clock, logger } = deps;
  return {
    async run(signal) {
      for (let failures = 0; !signal.aborted;) {
        try {
          const channel = await openChannel(deps, signal);
          await listen(channel, signal, () => (failures = 0));
        } catch (error) {
          if (signal.aborted) return;
          const hint = `see that this machine reaches ${new URL(deps.tunnel).host}; where a proxy is needed, set HTTPS_PROXY`;
          logger.warn({ error: describeError(error), hint }, 'the tunnel is interrupted');
        }
        failures += 1;
        await clock.sleep(backoffDelay(failures, RECONNECT), signal);
      }
    },
  };

  async function listen(channel: string, signal: AbortSignal, isUp: () => void): Promise<void> {
    const silent = new AbortController();
    const tooQuiet = () => silent.abort(new Error(`nothing came for ${SILENCE_MS} ms`));
    let timer = setTimeout(tooQuiet, SILENCE_MS);
    try {
      const response = await deps.fetch(channel, {
        headers: { accept: 'text/event-stream' },
        signal: AbortSignal.any([signal, silent.signal]),
      });
      if (!response.ok || response.body === null) {
        throw new Error(`the channel answered with ${response.status}`);
      }
      isUp();
      logger.info({ channel }, 'the tunnel is open');
      for await (const { event, data } of readEventStream(response.body)) {
        clearTimeout(timer);
        timer = setTimeout(tooQuiet, SILENCE_MS);
        if (event === 'message') await handOver(data, signal);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async function handOver(data: string, signal: AbortSignal): Promise<void> {
    const parsed = eventSchema.safeParse(parseJson(data));
    if (!parsed.success) return logger.warn('the tunnel brought what is no delivery');
    const { body, rawbody, ...rest } = parsed.data;
    const headers = Object.entries(rest).filter(
      (entry): entry is [string, string] => FORWARDED.test(entry[0]) && isHeader(entry[1]),
    );
    const delivery = rest['x-github-delivery'];
    try {
      const response = await fetch(deps.webhookUrl, {
        method: 'POST',
        headers: { ...Object.fromEntries(headers), 'content-type': 'application/json' },
        body: rawbody ?? JSON.stringify(body),
        signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
      });
      const text = await response.text();
      if (response.ok) return;
      const why = { delivery, status: response.status, answer: text.slice(0, 500) };
      logger.warn(why, 'a delivery of the tunnel was refused');
    } catch (error) {
      logger.warn({ delivery, error: describeError(error) }, 'a delivery of the tunnel was lost');
    }
  }
}

/** The channel that was asked for, that was made before, or a new one; it is kept for `mainsheet hooks ensure`. */
async function openChannel(deps: TunnelDeps, signal: AbortSignal): Promise<string> {
  const file = tunnelFile(deps.dataDir);
  const asked = new URL(deps.tunnel);
  const kept = URL.parse((await readFile(file, 'utf8').catch(() => '')).trim());
  const isNew = asked.pathname === '/new';
  if (isNew && kept?.origin === asked.origin) return kept.href;
  const channel = isNew ? await makeChannel(asked, deps, signal) : asked.href;
  if (channel !== kept?.href) await writeFile(file, `${channel}\n`, { mode: 0o600 });
  return channel;
}

async function makeChannel(asked: URL, deps: TunnelDeps, signal: AbortSignal): Promise<string> {
  const response = await deps.fetch(asked.href, {
    method: 'HEAD',
    redirect: 'manual',
    signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
  });
  const made = URL.parse(response.headers.get('location') ?? '', asked.href);
  if (made?.origin === asked.origin && made.pathname !== asked.pathname) return made.href;
  throw new MainsheetError('no-channel', `${asked.origin} made no channel`);
}

/** Whether it can be sent as a header's value. */
function isHeader(value: unknown): boolean {
  return typeof value === 'string' && /^[\x20-\x7e]{1,1000}$/.test(value);
}
