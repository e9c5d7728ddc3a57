import type { Clock } from '../lib/clock.ts';
import {
  IMPORTANCE,
  IMPORTANCES,
  type Hold,
  type Importance,
  type WriteLog,
  type WritesSeen,
} from '../model/importance.ts';
import { createCircuit, type Circuit } from './circuit.ts';
import { createWriteLedger, type WriteLedger, type WriteLimits } from './write-ledger.ts';

/** GitHub's published limits for requests that create content. */
export const GITHUB_WRITE_LIMITS: WriteLimits = { perMinute: 80, perHour: 500 };

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
  /** What would get no leave now, so that it is not even claimed. */
  held(): Hold[];
  /** To be told what each answer of GitHub says about the primary limit. */
  observe(account: string, primary: PrimaryLimit): void;
  /** Learns what other processes have written since, for `held` and `usage`; `take` asks for itself. */
  refresh(): Promise<void>;
  usage(): BudgetUsage[];
}

interface Account {
  ledger: WriteLedger;
  circuit: Circuit;
  /** The number of the last write in the log that the ledger knows. */
  seen: number;
  /** Requests under way. */
  open: number;
  primary: PrimaryLimit | undefined;
  rateLimited: number;
  /** Settles when whoever reads the log for the account now is done. */
  turn: Promise<unknown>;
}

const HOUR_MS = 60 * 60_000;
/** For how long writes are kept in the log: longer than any window, however far clocks are apart. */
const KEPT_MS = 2 * HOUR_MS;
/** All that a token may do is one budget, whoever owns the repositories. */
const TOKEN = 'token';

/**
 * `shared`: everybody shares one budget, as with a token; else every owner, having an installation of its own, has one. `log` is
 * what all processes share: a write is noted there before it is made, so the budget holds across replicas and deaths.
 */
export function createBudget(deps: {
  clock: Clock;
  limits: WriteLimits;
  shared: boolean;
  log: WriteLog;
}): Budget {
  const { clock, limits, log } = deps;
  const accounts = new Map<string, Account>();
  const keyOf = (name: string) => (deps.shared ? TOKEN : name);

  function accountFor(key: string): Account {
    const known = accounts.get(key);
    if (known !== undefined) return known;
    const account: Account = {
      ledger: createWriteLedger(limits),
      circuit: createCircuit(),
      seen: 0,
      open: 0,
      primary: undefined,
      rateLimited: 0,
      turn: Promise.resolve(),
    };
    accounts.set(key, account);
    return account;
  }

  function isOpen(account: Account, importance: Importance, now: number): boolean {
    return (
      account.circuit.allows(clock.elapsed(), account.open) &&
      primaryRoom(account, importance, now) > 0 &&
      account.ledger.room(importance, now) > 0
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

  return {
    take(name, importance) {
      const key = keyOf(name);
      const account = accountFor(key);
      return inTurn(account, async () => {
        let at = clock.now();
        if (!isOpen(account, importance, at)) return undefined;
        const noted = await log.reserve(key, account.seen, (news) => {
          learn(account, news);
          at = clock.now();
          return isOpen(account, importance, at) ? { at, importance } : undefined;
        });
        if (noted === undefined) return undefined;
        learn(account, {
          upTo: noted,
          writes: [{ importance, second: Math.floor(at / 1000), count: 1 }],
        });
        return grant(account);
      });
    },
    held() {
      const now = clock.now();
      return [...accounts].flatMap(([key, account]): Hold[] => {
        const importance = IMPORTANCES.find((each) => !isOpen(account, each, now));
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
    async refresh() {
      for (const key of new Set([...accounts.keys(), ...(await log.accounts())])) {
        const account = accountFor(key);
        await inTurn(account, async () => learn(account, await log.after(key, account.seen)));
        if (isForgotten(account, clock)) accounts.delete(key);
      }
      await log.forget(clock.now() - KEPT_MS);
    },
    usage() {
      const now = clock.now();
      return [...accounts].map(([account, { ledger, circuit, primary, rateLimited }]) => ({
        account,
        minute: { used: ledger.used('minute', now), limit: limits.perMinute },
        hour: { used: ledger.used('hour', now), limit: limits.perHour },
        primaryRemaining:
          primary !== undefined && now < primary.resetAt ? primary.remaining : undefined,
        pausedMs: Math.max(0, circuit.pausedUntil() - clock.elapsed()),
        rateLimited,
      }));
    },
  };
}

/** One after the other, because what is read from the log is added to what is known already. */
function inTurn<Result>(account: Account, work: () => Promise<Result>): Promise<Result> {
  const result = account.turn.then(work);
  account.turn = result.catch(() => undefined);
  return result;
}

function learn(account: Account, { upTo, writes }: WritesSeen): void {
  if (upTo <= account.seen) return;
  account.seen = upTo;
  for (const { second, importance, count } of writes) {
    account.ledger.add(second * 1000, importance, count);
  }
}

/** Whether nothing is known of the account any more that would change an answer, so that there are not more and more of them. */
function isForgotten(account: Account, clock: Clock): boolean {
  const now = clock.now();
  const { ledger, circuit, open, primary, rateLimited } = account;
  const quiet = open === 0 && circuit.allows(clock.elapsed(), 1) && ledger.used('hour', now) === 0;
  return quiet && rateLimited === 0 && (primary === undefined || now >= primary.resetAt);
}

/** Requests left of the primary limit. The last hundredth is for tokens and look-ups, the last tenth not for what can wait. */
function primaryRoom({ primary, open }: Account, importance: Importance, now: number): number {
  if (primary === undefined || now >= primary.resetAt) return Infinity;
  const share = importance >= IMPORTANCE.creation ? 0.1 : 0.01;
  return primary.remaining - open - Math.floor(primary.limit * share);
}
