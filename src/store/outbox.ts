import { sql } from 'kysely';
import type { Answered, Callback } from '../model/callback.ts';
import { IMPORTANCE, type Importance } from '../model/importance.ts';
import { createMapping } from './mapping.ts';
import { createOutboxClaims } from './outbox-claims.ts';
import { pageOf, repositoriesOf, type PageRequest } from './page.ts';
import { inPlace, list, queries, values, when, type Db, type Sql } from './query.ts';

/** Entries among which those are looked for, for one page, that a person may see. */
const MOST_LOOKED_AT = 10_000;

export type { Claimable } from './outbox-claims.ts';

export type OutboxState = 'pending' | 'sent' | 'obsolete' | 'dead';

/** A callback on its way. */
export interface OutboxEntry {
  id: number;
  /** Its run's id; of what belongs to no run a name with a colon: see `isOfRun`. */
  run: string;
  /** Entries of one target are sent one after the other, oldest first. */
  target: string;
  callback: Callback;
  state: OutboxState;
  attempts: number;
  nextAttemptAt: number;
  /** Why the last attempt failed, or why it will never be sent. */
  error: string | undefined;
  /** Of one that was sent, where the other side says something. */
  answer?: Answered | undefined;
  createdAt: number;
  finishedAt: number | undefined;
  importance: Importance;
}

/** Whether an entry's `run` is the id of one. */
export const isOfRun = (run: string): boolean => !run.includes(':');

/** An entry and its row. */
const entries = createMapping<OutboxEntry>({
  names: { id: 'seq', run: 'run_id', importance: 'priority' },
  json: ['callback', 'answer'],
  others: ['lease_until', 'account', 'lane'],
});

/** A callback to be put into the outbox. */
export interface NewCallback {
  target: string;
  callback: Callback;
  /** Default: most important. */
  importance?: Importance;
  /** Whose budget at GitHub it is paid from; undefined for what does not go there. */
  account?: string | undefined;
  /** Lane and spec of its run. */
  lane?: string;
  /** Milliseconds before it is sent first. */
  delayMs?: number | undefined;
}

/** `filled` hears when there is something to be sent. */
export function createOutbox(db: Db, filled: () => void) {
  const { change, isThere, value } = queries(db);
  const read = entries.of(db);

  const count = async (which: Sql) =>
    (await value<number>`select count(*) from outbox where ${which}`) ?? 0;

  /** Lets new callbacks pull along what has to go before them, and overtake what older runs of their lanes have to say. */
  async function makeWay(callbacks: readonly NewCallback[]): Promise<void> {
    const all = callbacks.map((one) => ({ importance: IMPORTANCE.final, ...one }));
    // What makes a Deployment is the first of its target, and less important is only what pulls nothing.
    const pulling = all.filter(({ importance }) => importance < IMPORTANCE.creation);
    for (const [importance, some] of Map.groupBy(pulling, (one) => one.importance)) {
      await change`update outbox set priority = ${importance}
        where target in ${list(some.map(({ target }) => target))}
        and state = 'pending' and priority > ${importance}`;
    }
    for (const { importance, lane, target } of pulling) {
      if (importance !== IMPORTANCE.final || lane === undefined) continue;
      await change`update outbox set priority = ${IMPORTANCE.olderFinal}
        where lane = ${lane} and state = 'pending' and priority = ${IMPORTANCE.final} and target <> ${target}`;
    }
  }

  /**
   * All of an entry's target that are of its repository: those of a spec's notifications share one, and the spec may have been another
   * repository's before.
   */
  const ofTarget = ({ target, run }: Pick<OutboxEntry, 'target' | 'run'>) => sql`target = ${target}
    and (run_id = ${run} or exists (
      select 1 from runs join runs own on lower(own.repository) = lower(runs.repository)
      where runs.id = outbox.run_id and own.id = ${run}))`;

  /** Finishes what is pending of these as `obsolete`, and says why. */
  async function abandon(which: Sql, now: number, reason: string): Promise<void> {
    await change`update outbox
      set state = 'obsolete', finished_at = ${now}, lease_until = 0, error = ${reason}
      where ${which} and state = 'pending'`;
  }

  /** Still a repetition: what was given up may have arrived, and a Deployment is then looked for before it is made. */
  async function revive(which: Sql, now: number): Promise<number> {
    const revived = await change`update outbox
      set state = 'pending', attempts = 1, next_attempt_at = ${now}, finished_at = null
      where state = 'dead' and ${which}`;
    if (revived > 0) filled();
    return revived;
  }

  return {
    ...createOutboxClaims(db, entries.read),

    /**
     * Puts callbacks in, each behind those of its target. What waits before it in its target becomes as important as it is, since
     * it has to go first; and the final status of an older run of the lane becomes an older final status.
     */
    async add(run: string, callbacks: readonly NewCallback[], now: number): Promise<void> {
      if (callbacks.length === 0) return;
      await makeWay(callbacks);
      const rows = callbacks.map(
        ({ target, callback, importance, account, lane, delayMs = 0 }) => ({
          ...entries.write({
            run,
            target,
            callback,
            importance: importance ?? IMPORTANCE.final,
            state: 'pending',
            attempts: 0,
            nextAttemptAt: now + delayMs,
            createdAt: now,
          }),
          lease_until: 0,
          account,
          lane,
        }),
      );
      await change`insert into outbox ${values(rows)}`;
      filled();
    },

    /**
     * Entries that come after one of the given ones in its target, oldest first: those to be sent and those that were sent, because
     * a dead entry that is revived must not overwrite what the other side has heard since.
     */
    async laterInTarget(of: readonly Pick<OutboxEntry, 'id' | 'target'>[]): Promise<OutboxEntry[]> {
      if (of.length === 0) return [];
      const later = of.map(({ id, target }) => sql`target = ${target} and seq > ${id}`);
      return await read.all`select * from outbox
        where (${sql.join(later, sql` or `)}) and state in ('pending', 'sent') order by seq`;
    },

    /** Finishes all that is pending in a target as `obsolete`, and says why. */
    abandonTarget: (target: string, now: number, reason: string) =>
      abandon(sql`target = ${target}`, now, reason),

    /** Finishes all of a run that is pending as `obsolete`, and says why. */
    abandon: (run: string, now: number, reason: string) =>
      abandon(sql`run_id = ${run}`, now, reason),

    /** Removes what is over of a run. */
    async forgetEnded(run: string): Promise<void> {
      await change`delete from outbox where run_id = ${run} and state <> 'pending'`;
    },

    /**
     * Makes a dead entry pending again, as one that was tried once. False when it is not dead. What died of the same
     * Deployment comes with it: neither its making nor its statuses mean anything alone. With `whole` all that died of its target and repository.
     */
    async revive(id: number, now: number, whole = false): Promise<boolean> {
      const entry = await read.first`select * from outbox where seq = ${id}`;
      if (entry?.state !== 'dead') return false;
      const isShared = whole || entry.target.startsWith('deployment:');
      const which = isShared ? ofTarget(entry) : sql`seq = ${id}`;
      return (await revive(which, now)) > 0;
    },

    /** The number that the other side gave to what it has under this name (`CallbackKind.numbered`). */
    number: (name: string) => value<number>`select number from outbox_numbers where name = ${name}`,

    /** Keeps such a number for as long as its run, or what else the callback belongs to. */
    async setNumber(name: string, run: string, number: number): Promise<void> {
      const row = { name, run_id: run, number };
      await change`insert into outbox_numbers ${inPlace(['name'], [row])}`;
    },

    /** Whether the other side has anything of a run. */
    hasNumber: (run: string) =>
      isThere`select name from outbox_numbers where run_id = ${run} limit 1`,

    /** How many of an entry's target and repository were given up. */
    countDead: (entry: Pick<OutboxEntry, 'target' | 'run'>) =>
      count(sql`state = 'dead' and ${ofTarget(entry)}`),

    /** Makes every dead entry pending again, and says how many there were. */
    reviveAll: (now: number) => revive(sql`true`, now),

    get: (id: number) => read.first`select * from outbox where seq = ${id}`,

    ofRun: (run: string) => read.all`select * from outbox where run_id = ${run} order by seq`,

    /** Newest first. With `visible` a page that is not full may be followed by others. */
    async list(
      request: PageRequest,
      filter: {
        state?: OutboxState | undefined;
        /** Repositories in small letters: callbacks of runs of others are not in the list. Undefined: all are. */
        visible?: readonly string[] | undefined;
      },
    ) {
      const names = repositoriesOf(filter);
      const isIn = when(filter.state, (state) => sql`and state = ${sql.lit(state)}`);
      const looked =
        names &&
        (await value<number>`select seq from outbox where true ${isIn}
          ${when(request.before, (before) => sql`and seq < ${before}`)}
          order by seq desc limit 1 offset ${MOST_LOOKED_AT}`);
      const which = sql`true ${isIn}
        ${when(looked, (seq) => sql`and seq >= ${seq}`)}
        ${when(names, (some) => sql`and exists (select 1 from runs where id = outbox.run_id and lower(repository) in ${list(some)})`)}`;
      return await pageOf(db, 'outbox', request, which, entries.read, looked);
    },

    /** How many wait, and how many were given up; both are few, however many were sent. */
    async countOpen(): Promise<{ pending: number; dead: number }> {
      return {
        pending: await count(sql`state = 'pending'`),
        dead: await count(sql`state = 'dead'`),
      };
    },
  };
}
