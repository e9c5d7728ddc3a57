import { formatWall } from '../lib/wall-clock.ts';
import type { DeploymentSpec } from '../model/deployment-spec.ts';
import type { ScheduleEvent } from '../model/event.ts';
import type { ScheduleTrigger } from '../model/schedule.ts';
import { failed, held, type Verdict } from '../model/verdict.ts';

/** The schedule that an event is of. */
export function scheduleTriggerOf(
  { on }: DeploymentSpec,
  event: ScheduleEvent,
): ScheduleTrigger | undefined {
  return on.schedules?.find(
    ({ cron, timeZone }) => cron === event.cron && timeZone === event.timeZone,
  );
}

/** Whether a time starts a spec: its file may say something else by now. */
export function matchesSchedule(spec: DeploymentSpec, event: ScheduleEvent): Verdict {
  const { cron, timeZone, due } = event;
  if (spec.name !== event.spec)
    return failed('on.schedule', `the schedule is that of ${event.spec}`);
  return scheduleTriggerOf(spec, event) === undefined
    ? failed('on.schedule', `the spec has no schedule "${cron}" (${timeZone}) any more`)
    : held('on.schedule', `"${cron}" means ${formatWall(due, timeZone)}`);
}
