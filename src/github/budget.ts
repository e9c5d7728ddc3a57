import type { Clock } from '../lib/clock.ts';
import {
  IMPORTANCE,
  IMPORTANCES,
  type Hold,
  type Importance,
  type Written,
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
  take(account: string, importance: Importance): Grant | undefined;
  /** What would get no leave now, so that it is not even claimed. */
  held(): Hold[];
  /** To be told what each answer of GitHub says about the primary limit. */
  observe(account: string, primary: PrimaryLimit): void;
  /**
   * Takes over what was written in the last hour as of `asOf`, by this process, by the one before it and by other replicas.
   * Writes of this process that failed, or ended later, still count beside it.
   */
  recount(written: readonly Written[], asOf: number): void;
  usage(): BudgetUsage[];
}

/** Writes of this process that the store does not know (yet). */
interface Write {
  at: number;
  importance: Importance;
  /** When it had arrived at GitHub, undefined while it is under way and for what failed. */
  sentAt: number | undefined;
}

interface Account {
  ledger: WriteLedger;
  circuit: Circuit;
  writes: Set<Write>;
  open: number;
  primary: PrimaryLimit | undefined;
  rateLimited: number;
}

const HOUR_MS = 60 * 60_000;
/** All that a token may do is one budget, whoever owns the repositories. */
const TOKEN = 'token';

/** `shared`: everybody shares one budget, as with a token; else every owner, having an installation of its own, has one. */
export function createBudget(deps: { clock: Clock; limits: WriteLimits; shared: boolean }): Budget {
  const { clock, limits } = deps;
  const accounts = new Map<string, Account>();

  function accountFor(name: string): Account {
    const key = deps.shared ? TOKEN : name;
    const known = accounts.get(key);
    if (known !== undefined) return known;
    const account: Account = {
      ledger: createWriteLedger(limits),
      circuit: createCircuit(),
      writes: new Set(),
      open: 0,
      primary: undefined,
      rateLimited: 0,
    };
    accounts.set(key, account);
    return account;
  }

  function isOpen(account: Account, importance: Importance, now: number): boolean {
    return (
      account.circuit.allows(now, account.open) &&
      primaryRoom(account, importance, now) > 0 &&
      account.ledger.room(importance, now) > 0
    );
  }

  return {
    take(name, importance) {
      const account = accountFor(name);
      const begunAt = clock.now();
      if (!isOpen(account, importance, begunAt)) return undefined;
      const write: Write = { at: begunAt, importance, sentAt: undefined };
      account.ledger.add(begunAt, importance);
      account.writes.add(write);
      account.open += 1;
      return {
        sent() {
          account.open -= 1;
          write.sentAt = clock.now();
          account.circuit.worked();
        },
        failed(error) {
          account.open -= 1;
          if (account.circuit.failed(error, begunAt, clock.now())) account.rateLimited += 1;
        },
      };
    },
    held() {
      const now = clock.now();
      return [...accounts].flatMap(([name, account]): Hold[] => {
        const importance = IMPORTANCES.find((each) => !isOpen(account, each, now));
        return importance === undefined
          ? []
          : [{ account: deps.shared ? undefined : name, importance }];
      });
    },
    observe(name, primary) {
      const latest = clock.now() + HOUR_MS;
      accountFor(name).primary = { ...primary, resetAt: Math.min(primary.resetAt, latest) };
    },
    recount(written, asOf) {
      const now = clock.now();
      for (const account of accounts.values()) {
        account.ledger = createWriteLedger(limits);
        for (const write of account.writes) {
          const known = write.sentAt !== undefined && write.sentAt < asOf;
          if (known || write.at < now - HOUR_MS) account.writes.delete(write);
          else account.ledger.add(write.at, write.importance);
        }
      }
      for (const { account, second, importance, count } of written) {
        accountFor(account).ledger.add(second * 1000, importance, count);
      }
    },
    usage() {
      const now = clock.now();
      return [...accounts].map(([name, { ledger, circuit, primary, rateLimited }]) => ({
        account: name,
        minute: { used: ledger.used('minute', now), limit: limits.perMinute },
        hour: { used: ledger.used('hour', now), limit: limits.perHour },
        primaryRemaining:
          primary !== undefined && now < primary.resetAt ? primary.remaining : undefined,
        pausedMs: Math.max(0, circuit.pausedUntil() - now),
        rateLimited,
      }));
    },
  };
}

/** Requests left of the primary limit. The last hundredth is for tokens and look-ups, the last tenth not for what can wait. */
function primaryRoom({ primary, open }: Account, importance: Importance, now: number): number {
  if (primary === undefined || now >= primary.resetAt) return Infinity;
  const share = importance >= IMPORTANCE.creation ? 0.1 : 0.01;
  return primary.remaining - open - Math.floor(primary.limit * share);
}
