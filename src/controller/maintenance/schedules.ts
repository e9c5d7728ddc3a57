import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import {
  nextTime,
  scheduleEventName,
  type SchedulePayload,
  type ScheduleTrigger,
} from '../../model/schedule.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store, Tables } from '../../store/index.ts';
import { ownDelivery } from '../own-delivery.ts';

/** A time that is noticed later than this was missed: nothing looked when it came. */
const LATE_MS = 2 * 60_000;

/**
 * Makes deliveries of the times that schedules mean. The next time of each is in the store; what comes with it is stored in one
 * transaction with the time after it, under an id that is made from both: among replicas, too, each time comes once.
 */
export function createSchedules(deps: {
  store: Pick<Store, 'cursors' | 'lazily'>;
  catalog: Pick<Catalog, 'current'>;
  clock: Clock;
  logger: Logger;
}): (signal: AbortSignal) => Promise<void> {
  const { store, catalog, clock, logger } = deps;

  async function look(spec: string, schedule: ScheduleTrigger): Promise<void> {
    const name = cursorOf(spec, schedule);
    const due = timeOf(await store.cursors.get(name));
    const now = clock.now();
    if (due !== undefined && due > now) return await comeSooner(name, schedule, due, now);
    const next = nextTime(schedule, now);
    const isSkipped = due !== undefined && schedule.missed === 'skip' && now - due > LATE_MS;
    const id = await store.lazily(async (tables) => {
      await tables.cursors.set(name, next === undefined ? '' : new Date(next).toISOString(), now);
      if (isSkipped) {
        const missed = new Date(due).toISOString();
        await tables.cursors.set(missedCursor(spec, schedule), missed, now);
      }
      return due === undefined || isSkipped ? undefined : await come(tables, spec, schedule, due);
    });
    const fields = { spec, schedule: schedule.cron, due: due && new Date(due).toISOString() };
    if (isSkipped) logger.warn(fields, 'scheduled time was missed, and is skipped');
    if (id === undefined) return;
    logger.info({ ...fields, delivery: id }, 'scheduled time has come');
  }

  /** Where the clock was ahead when a time was noted, another may come before that one. */
  async function comeSooner(
    name: string,
    schedule: ScheduleTrigger,
    due: number,
    now: number,
  ): Promise<void> {
    // The clocks of replicas may differ by less than that.
    const sooner = nextTime(schedule, now + LATE_MS);
    if (sooner === undefined || sooner >= due) return;
    await store.cursors.set(name, new Date(sooner).toISOString(), now);
  }

  /** Stores the delivery, and answers its id; undefined when another replica did. */
  async function come(
    tables: Tables,
    spec: string,
    { cron, timeZone, ref }: ScheduleTrigger,
    time: number,
  ): Promise<string | undefined> {
    const due = new Date(time).toISOString();
    const payload: SchedulePayload = { spec, schedule: cron, timezone: timeZone, due };
    const event = scheduleEventName(spec);
    // Two schedules of one spec may mean the same time: for the same ref they are one.
    const id = [event, due, ref === undefined ? [] : inAddress(ref)].flat().join(':');
    const own = ownDelivery({ id, event, repository: undefined }, payload, clock.now());
    const stored = await tables.inbox.store([own]);
    return stored.has(id) ? id : undefined;
  }

  return async (signal) => {
    for (const { spec } of catalog.current().specs) {
      for (const schedule of spec.on.schedules ?? []) {
        if (!signal.aborted) await look(spec.name, schedule);
      }
    }
  };
}

/** A schedule that is written in another way is a new one: its times begin now. */
function cursorOf(spec: string, { cron, timeZone }: ScheduleTrigger): string {
  return `schedule ${spec} ${timeZone} ${cron}`;
}

/** A ref as it may stand in an address. No ref has a "~": https://git-scm.com/docs/git-check-ref-format */
const inAddress = (ref: string) => encodeURIComponent(ref).replaceAll('%', '~');

/** Where the newest time of a schedule stands that was skipped. */
export const missedCursor = (spec: string, schedule: ScheduleTrigger) =>
  `missed ${cursorOf(spec, schedule)}`;

/** Undefined: it was never looked at. */
function timeOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  return value === '' ? Infinity : Date.parse(value);
}
