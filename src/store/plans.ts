import { sql } from 'kysely';
import type { PullRequestEvent, Renamed } from '../model/event.ts';
import { attemptOf, createClaims, freeOf } from './claims.ts';
import { createMapping } from './mapping.ts';
import { queries, values, type Db } from './query.ts';

/** A pull request as it was told of last. */
export type PulledEvent = PullRequestEvent & Renamed;

/** A pull request whose plan is to be made. */
export interface ClaimedPlan {
  id: string;
  pull: PulledEvent;
  /** Which claim this is. */
  attempts: number;
  /** How often its plan could not be made. */
  failures: number;
}

const mapping = createMapping<ClaimedPlan>({
  json: ['pull'],
  others: ['repository', 'number', 'changed_at', 'noted_at', 'due_at', 'lease_until'],
});

/** As what the outbox knows the callbacks of a plan, which belong to no run. */
export const planKey = (id: string): string => `plan:${id}`;

/** The pull requests that plans are made of, each with its newest state. `filled` hears when one is to be planned. */
export function createPlans(db: Db, filled: () => void) {
  const { value } = queries(db);
  const claims = createClaims(db, 'plans', sql`due_at is not null`);
  const mine = ({ id, attempts }: ClaimedPlan) => attemptOf(sql`id = ${id}`, attempts);

  return {
    /**
     * Notes what an event has told, under `id` when it is the first of its pull request; its plan is due at once when that is ready.
     * A claim from before ends. What is older than what is known changes nothing. `now` in milliseconds. Answers the id that it has.
     */
    async note(id: string, pull: PulledEvent, now: number): Promise<string | undefined> {
      const { repository, number, changedAt, isReady } = pull;
      const row = {
        id,
        repository: repository.toLowerCase(),
        number,
        pull: JSON.stringify(pull),
        changed_at: changedAt,
        noted_at: now,
        due_at: isReady ? now : null,
      };
      const known = await value<string>`insert into plans ${values([row])}
        on conflict (repository, number) do update set pull = excluded.pull,
          changed_at = excluded.changed_at, noted_at = excluded.noted_at, due_at = excluded.due_at,
          attempts = plans.attempts + 1, failures = 0, lease_until = 0
        where excluded.changed_at >= plans.changed_at
        returning id`;
      if (known !== undefined && isReady) filled();
      return known;
    },

    /** Takes the one that has been due for the longest time, and keeps it for `leaseMs`. */
    async claim(now: number, leaseMs: number): Promise<ClaimedPlan | undefined> {
      const due = sql`select id from plans where due_at <= ${now} and lease_until <= ${now}
        order by due_at limit 1`;
      const which = freeOf(db, sql`id`, due);
      const [row] = await claims.take(which, sql`attempts = attempts + 1`, now + leaseMs, now);
      return row && mapping.read(row);
    },

    renew: async (plan: ClaimedPlan, leaseUntil: number) =>
      (await claims.renew(mine(plan), leaseUntil)) !== undefined,

    /** False when the pull request has changed since, or another process has claimed it. */
    finish: (plan: ClaimedPlan) => claims.release(mine(plan), { due_at: null, failures: 0 }),

    /** Gives it back, to be tried again at `at`; with false as `finish`. */
    postpone: (plan: ClaimedPlan, at: number) =>
      claims.release(mine(plan), { due_at: at, failures: plan.failures + 1 }),

    releaseAll: claims.releaseAll,
  };
}
