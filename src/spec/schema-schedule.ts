import { parse, validateDetailed } from 'node-cron';
import * as z from 'zod';
import type { CronTimes, ScheduleTrigger } from '../model/schedule.ts';
import { problem, timeZone } from './schema-fields.ts';
import { refPattern } from './schema-patterns.ts';

const MOST_SCHEDULES = 20;

const cron = z
  .string()
  .max(200, 'more than 200 characters')
  .transform((text, context): { text: string; times: CronTimes } => {
    const times = readCron(text);
    if (typeof times === 'object') return { text, times };
    problem(context, times, 'write minute, hour, day, month and weekday, such as "0 6 * * 1-5"');
    return z.NEVER;
  });

const schedule = z.strictObject({
  cron: cron.describe(
    'The five fields of cron: minute, hour, day of the month, month, day of the week.',
  ),
  timezone: timeZone
    .describe('Whose clock it goes by, as in Europe/Berlin. Default: UTC.')
    .optional(),
  ref: refPattern
    .describe('The branch or tag to deploy, as it is then. Default: the default branch.')
    .optional(),
  missed: z
    .enum(['once', 'skip'])
    .describe(
      'What becomes of times that passed while Mainsheet was down. once (default): one run makes up for all of them. skip: none does.',
    )
    .optional(),
});

/** The written `on.schedule`: one schedule or several. */
export const schedules = z.union([
  schedule,
  z
    .array(schedule)
    .min(1, 'the list is empty')
    .max(MOST_SCHEDULES, `more than ${MOST_SCHEDULES} entries`)
    .superRefine((written, context) => {
      const known = new Set<string>();
      for (const [
        index,
        {
          cron: { text },
          timezone = 'UTC',
        },
      ] of written.entries()) {
        const key = `${timezone} ${text}`;
        if (known.has(key)) {
          const hint = 'write a spec of its own for another ref';
          const message = `"${text}" (${timezone}) is there twice`;
          context.addIssue({ code: 'custom', message, path: [index], params: { hint } });
        }
        known.add(key);
      }
    }),
]);

export function toSchedule(written: z.output<typeof schedule>): ScheduleTrigger {
  return {
    cron: written.cron.text,
    times: written.cron.times,
    timeZone: written.timezone ?? 'UTC',
    ref: written.ref,
    missed: written.missed ?? 'once',
  };
}

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
