import type { Clock } from '../lib/clock.ts';
import { inGroups } from '../lib/in-groups.ts';
import {
  IMPORTANCE,
  IMPORTANCES,
  NO_WRITES,
  type Hold,
  type Importance,
  type WriteCounts,
  type WriteLog,
} from '../model/importance.ts';
import { createCircuit, type Circuit } from './circuit.ts';
import { hasRoom, withWrite, type WriteLimits } from './room.ts';

/** Leave to send one write. One of its functions is to be called when the request is over. */
export interface Grant {
  sent(): void;
  failed(error: unknown): void;
}

/** What GitHub said about the primary limit with an answer. `resetAt` in milliseconds since the epoch. */
export interface PrimaryLimit {
  limit: number;
  remaining: number;
  resetAt: number;
}

/** One account's state, for metrics. */
export interface BudgetUsage {
  account: string;
  minute: { used: number; limit: number };
  hour: { used: number; limit: number };
  /** Undefined until GitHub has said it, and after it was reset. */
  primaryRemaining: number | undefined;
  /** 0 when nothing is paused. */
  pausedMs: number;
  /** Answers since the start that were rate limits. */
  rateLimited: number;
}

/**
 * What may be sent to GitHub, kept for each installation, so that its limits are kept by counting and not found by running into them
 * (G10). https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
 */
export interface Budget {
  /** Leave for one write from the account (a repository's owner), or undefined when it has to wait. */
  take(account: string, importance: Importance): Promise<Grant | undefined>;
  /** What would get no leave now, so that it is not even claimed. Learns at most once a second what other processes have written. */
  held(): Promise<Hold[]>;
  /** To be told what each answer of GitHub says about the primary limit. */
  observe(account: string, primary: PrimaryLimit): void;
  /** Whether the account's primary limit is used up by half at most, as far as GitHub has said: what strangers can cause is asked only then. */
  isAmple(account: string): boolean;
  /** As `held` has learned it last. */
  usage(): BudgetUsage[];
}

interface Account {
  /** Takes that are asked for in one turn are one transaction. */
  take: (importance: Importance) => Promise<Grant | undefined>;
  counts: WriteCounts;
  circuit: Circuit;
  /** Requests under way. */
  open: number;
  primary: PrimaryLimit | undefined;
  rateLimited: number;
}

const HOUR_MS = 60 * 60_000;
/** For how long the counts of all accounts are good enough to know what not to claim; `take` asks for itself. */
const REFRESH_MS = 1000;
/** All that a token may do is one budget, to whatever owner a repository belongs. */
const TOKEN = 'token';

/**
 * `shared`: all repositories share one budget, as with a token; else every owner, having an installation of its own, has one. `log`
 * is what all processes share: a write is noted there before it is made, so the budget holds across replicas and deaths.
 */
export function createBudget(deps: {
  clock: Clock;
  limits: WriteLimits;
  shared: boolean;
  log: WriteLog;
}): Budget {
  const { clock, limits, log } = deps;
  const accounts = new Map<string, Account>();
  let refreshedAt = -Infinity;
  const keyOf = (name: string) => (deps.shared ? TOKEN : name);

  function accountFor(key: string): Account {
    const known = accounts.get(key);
    if (known !== undefined) return known;
    const account: Account = {
      take: inGroups((group) => takeAll(key, account, group)),
      counts: NO_WRITES,
      circuit: createCircuit(),
      open: 0,
      primary: undefined,
      rateLimited: 0,
    };
    accounts.set(key, account);
    return account;
  }

  /** Leave for as many of the group as there is room for, the first ones first. */
  async function takeAll(key: string, account: Account, group: readonly Importance[]) {
    const allowed = new Map<number, Importance>();
    await log.reserve(
      key,
      () => clock.now(),
      (counts) => {
        account.counts = counts;
        for (const [index, importance] of group.entries()) {
          if (!isOpen(account, importance, allowed.size)) continue;
          account.counts = withWrite(account.counts, importance);
          allowed.set(index, importance);
        }
        return [...allowed.values()];
      },
    );
    return group.map((_, index) => (allowed.has(index) ? grant(account) : undefined));
  }

  /** Whether there is room for one more, `taken` having been allowed just now. */
  function isOpen(account: Account, importance: Importance, taken = 0): boolean {
    const open = account.open + taken;
    return (
      account.circuit.allows(clock.elapsed(), open) &&
      hasPrimaryRoom(account.primary, open, importance, clock.now()) &&
      hasRoom(account.counts, importance, limits)
    );
  }

  function grant(account: Account): Grant {
    const begunAt = clock.elapsed();
    account.open += 1;
    return {
      sent() {
        account.open -= 1;
        account.circuit.worked();
      },
      failed(error) {
        account.open -= 1;
        if (account.circuit.failed(error, begunAt, clock.elapsed())) account.rateLimited += 1;
      },
    };
  }

  async function refresh(): Promise<void> {
    const now = clock.now();
    if (Math.abs(now - refreshedAt) < REFRESH_MS) return;
    refreshedAt = now;
    await log.forget(now);
    const counts = await log.counts(now);
    for (const key of counts.keys()) accountFor(keyOf(key));
    for (const [key, account] of accounts) {
      account.counts = counts.get(key) ?? NO_WRITES;
      if (isForgotten(account, clock)) accounts.delete(key);
    }
  }

  return {
    take: (name, importance) => accountFor(keyOf(name)).take(importance),
    async held() {
      await refresh();
      return [...accounts].flatMap(([key, account]): Hold[] => {
        const importance = IMPORTANCES.find((each) => !isOpen(account, each));
        return importance === undefined
          ? []
          : [{ account: deps.shared ? undefined : key, importance }];
      });
    },
    observe(name, primary) {
      const latest = clock.now() + HOUR_MS;
      accountFor(keyOf(name)).primary = {
        ...primary,
        resetAt: Math.min(primary.resetAt, latest),
      };
    },
    isAmple(name) {
      const primary = accounts.get(keyOf(name))?.primary;
      if (primary === undefined || clock.now() >= primary.resetAt) return true;
      return primary.remaining * 2 >= primary.limit;
    },
    usage() {
      return [...accounts].map(([account, { counts, circuit, primary, rateLimited }]) => ({
        account,
        minute: { used: counts.minute, limit: limits.perMinute },
        hour: { used: counts.hour, limit: limits.perHour },
        primaryRemaining:
          primary !== undefined && clock.now() < primary.resetAt ? primary.remaining : undefined,
        pausedMs: Math.max(0, circuit.pausedUntil() - clock.elapsed()),
        rateLimited,
      }));
    },
  };
}

/** Whether nothing is known of the account any more that would change an answer, so that there are not more and more of them. */
function isForgotten(account: Account, clock: Clock): boolean {
  const { counts, circuit, open, primary, rateLimited } = account;
  const quiet = open === 0 && counts.hour === 0 && circuit.allows(clock.elapsed(), 1);
  return quiet && rateLimited === 0 && (primary === undefined || clock.now() >= primary.resetAt);
}

/** The last hundredth of the primary limit is for tokens and look-ups, the last tenth not for what can wait. */
function hasPrimaryRoom(
  primary: PrimaryLimit | undefined,
  open: number,
  importance: Importance,
  now: number,
): boolean {
  if (primary === undefined || now >= primary.resetAt) return true;
  const share = importance >= IMPORTANCE.creation ? 0.1 : 0.01;
  return primary.remaining - open > Math.floor(primary.limit * share);
}
