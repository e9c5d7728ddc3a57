import type { Clock } from '../../lib/clock.ts';
import { describeError, hintOf, RetryableError } from '../../lib/errors.ts';
import { elsewhere } from '../../lib/names.ts';
import type { Logger } from '../../lib/logger.ts';
import type { GitHub } from '../../github/client.ts';
import { findHooks, type Hook } from '../../github/deliveries.ts';
import { deliveryDigest, sign } from '../../sources/github/delivery-digest.ts';
import { describePayload } from '../../sources/github/describe-delivery.ts';
import type { Json } from '../../model/event.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store } from '../../store/index.ts';
import { findMissed, sentOf, type Attempts } from './missed-deliveries.ts';

/** Where GitHub delivers to, below the public URL. */
const WEBHOOK_PATH = '/webhooks/v1/github';
/** Payloads are read one by one; what is left over waits for the next turn. */
const MOST_PAYLOADS = 200;
/** Of those that could not be had before, so many are tried again in a look: the others shall not wait for them. */
const MOST_AGAIN = 20;
/** So many failures in a row are GitHub's trouble, and not that of each delivery: the rest waits for the next turn. */
const MOST_FAILURES = 20;
/** A delivery stands in GitHub's list only when its attempt is over, so that a later one may stand there before it. */
const OVERLAP_MS = 10 * 60_000;

/**
 * Takes in what GitHub could not deliver, with the payload that GitHub kept, oldest first: GitHub itself never tries a
 * second time (https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries). Of a webhook that
 * is seen for the first time nothing older is taken. Whatever is taken goes through the inbox like any other delivery, so
 * that it counts once and never deploys backwards. Throws RetryableError `github-rate-limited` when GitHub asks for a pause;
 * what was reached until then is kept. A repository that cannot be read is logged once, and the next time it is tried
 * again from where it was; so is a single delivery, which holds up no other.
 */
export type Recover = (signal: AbortSignal) => Promise<void>;

export function createRecover(deps: {
  store: Store;
  github: GitHub;
  catalog: Pick<Catalog, 'current'>;
  /** Without it none of a repository's webhooks is known to be ours; an App has only one. */
  publicUrl: string | undefined;
  /** The webhook's; the first is the one that GitHub signs with. */
  secrets: readonly string[];
  clock: Clock;
  logger: Logger;
}): Recover {
  const { store, github, clock, logger } = deps;
  const unreadable = new Set<string>();
  /** Of each webhook the deliveries that could not be had. */
  const triedOf = new Map<string, Map<string, Tried>>();

  async function recoverOf(repository: string, signal: AbortSignal): Promise<void> {
    const address = (deps.publicUrl ?? '') + WEBHOOK_PATH;
    try {
      for (const hook of await findHooks({ github, clock, signal }, repository, address)) {
        await recoverFrom(hook, signal);
      }
      unreadable.delete(repository);
    } catch (error) {
      // One repository's trouble is no other's, but for a limit, which is that of all.
      if (signal.aborted || isRateLimit(error)) throw error;
      const fields = {
        repository: repository || undefined,
        reason: describeError(error),
        hint: hintOf(error),
      };
      if (!unreadable.has(repository)) logger.warn(fields, 'missed deliveries cannot be read');
      unreadable.add(repository);
    }
  }

  async function recoverFrom(hook: Hook, signal: AbortSignal): Promise<void> {
    const name = `deliveries:${hook.name}`;
    const since = Number((await store.cursors.get(name)) ?? Number.NaN);
    if (Number.isNaN(since)) {
      const { deliveries } = await hook.list(undefined);
      const newest = Math.max(0, ...deliveries.map(({ deliveredAt }) => deliveredAt + 1));
      await store.cursors.set(name, String(newest), clock.now());
      return;
    }
    const { missed, newest } = await findMissed(
      { inbox: store.inbox, logger },
      hook,
      since,
      signal,
    );
    const tried = triedAmong(missed, triedOf.get(hook.name));
    triedOf.set(hook.name, tried);
    const done = new Set(missed.filter((attempts) => tried.get(keyOf(attempts))?.isGone));
    let failures = 0;
    try {
      for (const attempts of turn(missed, tried)) {
        signal.throwIfAborted();
        const read = await readOne(hook, attempts, signal);
        if (read.kind === 'payload') await accept(hook, attempts, read);
        else tell(hook, attempts, read, tried);
        if (read.kind !== 'failed') done.add(attempts);
        failures = read.kind === 'failed' ? failures + 1 : 0;
        if (failures === MOST_FAILURES) break;
      }
    } finally {
      // What could not be had holds the place back, so that later looks come across it.
      const left = missed.findIndex((attempts) => !done.has(attempts));
      const reached = left === -1 ? newest : missed[left - 1]?.[0].deliveredAt;
      const next = Math.max(since, (reached ?? since) - OVERLAP_MS);
      if (next !== since) await store.cursors.set(name, String(next), clock.now());
    }
  }

  /** Throws only what is not that delivery's own trouble: the end of the look, and a limit. */
  async function readOne(hook: Hook, attempts: Attempts, signal: AbortSignal): Promise<Read> {
    try {
      const sent = await sentOf(hook, attempts);
      if (sent === undefined) return { kind: 'gone' };
      const { event } = attempts[0];
      const { payload } = sent;
      const described = describePayload(event, JSON.parse(payload) as Json);
      // Where GitHub does not show it: what it would have been, if this JSON were written as it was sent.
      const signature = sent.signature ?? sign(deps.secrets[0] ?? '', payload);
      return { kind: 'payload', payload, described, digest: deliveryDigest(event, signature) };
    } catch (error) {
      if (signal.aborted || isRateLimit(error)) throw error;
      return { kind: 'failed', reason: describeError(error) };
    }
  }

  async function accept(hook: Hook, [{ guid, event }]: Attempts, read: Readable): Promise<void> {
    const { payload, described, digest } = read;
    const incoming = { id: guid, event, ...described, payload, digest, receivedAt: clock.now() };
    const stored = await store.atomically(({ inbox }) => inbox.store([incoming]));
    if (!stored.has(guid)) return;
    logger.info({ hook: hook.name, delivery: guid, event }, 'delivery recovered');
  }

  /** Once for each delivery: every look comes across it until GitHub has forgotten it. */
  function tell(
    hook: Hook,
    attempts: Attempts,
    read: Exclude<Read, Readable>,
    tried: Map<string, Tried>,
  ): void {
    const [{ guid, event }] = attempts;
    const before = tried.get(keyOf(attempts));
    const isGone = read.kind === 'gone';
    tried.set(keyOf(attempts), { times: (before?.times ?? 0) + 1, isGone });
    if (before?.isGone === isGone) return;
    const fields = { hook: hook.name, delivery: guid, event };
    if (read.kind === 'gone') {
      const hint = 'GitHub does not have it any more: deploy by hand what it was about';
      logger.warn({ ...fields, hint }, 'delivery cannot be recovered');
    } else logger.warn({ ...fields, reason: read.reason }, 'delivery cannot be recovered yet');
  }

  return async (signal) => {
    const isApp = github.app !== undefined;
    if (!isApp && deps.publicUrl === undefined) return;
    const { specs } = deps.catalog.current();
    const named = specs.flatMap(({ spec: { repository } }) =>
      elsewhere(repository) === undefined ? [[repository.toLowerCase(), repository] as const] : [],
    );
    const repositories = isApp ? [''] : new Map(named).values();
    for (const repository of repositories) await recoverOf(repository, signal);
  };
}

type Readable = {
  kind: 'payload';
  payload: string;
  described: ReturnType<typeof describePayload>;
  digest: string;
};
type Read = Readable | { kind: 'gone' } | { kind: 'failed'; reason: string };

interface Tried {
  times: number;
  isGone: boolean;
}

/** A delivery that is tried once more, by GitHub or by hand, is another one: what is kept of it may be had now. */
function keyOf(attempts: Attempts): string {
  return `${attempts[0].guid} ${attempts.at(-1)?.number}`;
}

/** What GitHub has forgotten is forgotten here too. */
function triedAmong(missed: readonly Attempts[], before?: ReadonlyMap<string, Tried>) {
  const kept = new Map<string, Tried>();
  for (const attempts of missed) {
    const tried = before?.get(keyOf(attempts));
    if (tried !== undefined) kept.set(keyOf(attempts), tried);
  }
  return kept;
}

/** What is read in this look: what is new, oldest first, then some of what was tried in vain, by turns. */
function turn(missed: readonly Attempts[], tried: ReadonlyMap<string, Tried>): Attempts[] {
  const times = (attempts: Attempts) => tried.get(keyOf(attempts))?.times ?? 0;
  const fresh = missed.filter((attempts) => times(attempts) === 0).slice(0, MOST_PAYLOADS);
  const again = missed.filter((attempts) => times(attempts) > 0);
  return [...fresh, ...again.sort((a, b) => times(a) - times(b)).slice(0, MOST_AGAIN)];
}

function isRateLimit(error: unknown): boolean {
  return error instanceof RetryableError && error.code === 'github-rate-limited';
}
