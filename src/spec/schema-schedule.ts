import { parse, validateDetailed } from 'node-cron';
import * as z from 'zod';
import type { CronTimes, ScheduleTrigger } from '../model/schedule.ts';
import { oneOrMore, optional, problem, textUpTo, timeZone } from './schema-fields.ts';
import { refPattern } from './schema-patterns.ts';

const MOST_SCHEDULES = 20;

const cron = textUpTo(200).transform((text, context): { text: string; times: CronTimes } => {
  const times = readCron(text);
  if (typeof times === 'object') return { text, times };
  problem(context, times, 'write minute, hour, day, month and weekday, such as "0 6 * * 1-5"');
  return z.NEVER;
});

const schedule = z
  .strictObject({
    cron: cron.describe(
      'The five fields of cron: minute, hour, day of the month, month, day of the week.',
    ),
    timezone: optional('Whose clock it goes by, as in Europe/Berlin. Default: UTC.', timeZone),
    ref: optional(
      'The branch or tag to deploy, as it is then. Default: the default branch.',
      refPattern,
    ),
    missed: optional(
      'What becomes of times that passed while Mainsheet was down. once (default): one run makes up for all of them. skip: none does.',
      z.enum(['once', 'skip']),
    ),
  })
  .transform(
    ({ cron: { text, times }, timezone = 'UTC', ref, missed = 'once' }): ScheduleTrigger => ({
      cron: text,
      times,
      timeZone: timezone,
      ref,
      missed,
    }),
  );

/** The written `on.schedule`: one schedule or several. */
export const schedules = oneOrMore(schedule, MOST_SCHEDULES).superRefine((list, context) => {
  for (const [index, { cron: text, timeZone: zone }] of list.entries()) {
    const isTwice = list.slice(0, index).some((one) => one.cron === text && one.timeZone === zone);
    if (!isTwice) continue;
    const hint = 'write a spec of its own for another ref';
    const message = `"${text}" (${zone}) is there twice`;
    context.addIssue({ code: 'custom', message, path: [index], params: { hint } });
  }
});

/** What is wrong with it, if it is no schedule. */
function readCron(text: string): CronTimes | string {
  const fields = text.trim().split(/\s+/);
  if (fields.length !== 5) return `"${text}" has ${fields.length} fields, not 5`;
  const { valid, errors } = validateDetailed(text);
  if (!valid) {
    const [first] = errors;
    return first === undefined ? `"${text}" is no schedule` : `"${text}": ${first.message}`;
  }
  const { minute, hour, dayOfMonth, month, dayOfWeek } = parse(text);
  const times = {
    minutes: numbers(minute),
    hours: numbers(hour),
    daysOfMonth: numbers(dayOfMonth),
    months: numbers(month),
    daysOfWeek: numbers(dayOfWeek),
  };
  if (Object.values(times).some((list) => list.length === 0)) {
    return `"${text}" has letters that Mainsheet does not know (L, W, #)`;
  }
  return times;
}

/** Empty when one of them is no number. */
function numbers(values: readonly (number | string)[]): number[] {
  const found = values.filter((value) => typeof value === 'number');
  return found.length < values.length ? [] : found.sort((a, b) => a - b);
}
