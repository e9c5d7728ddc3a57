import * as z from 'zod';
import type { ApproveGate, Gate, WindowGate } from '../model/gate.ts';
import type { TimeRange } from '../model/window.ts';
import { LOGIN, oneOrMore, problem, timeZone, wait } from './schema-fields.ts';

const TEAM = /^team:[A-Za-z0-9][A-Za-z0-9-]{0,99}\/[a-z0-9][\w-]{0,254}$/;

const approver = z.string().superRefine((text, context) => {
  if (LOGIN.test(text) || TEAM.test(text)) return;
  problem(
    context,
    `"${text.slice(0, 100)}" is neither a GitHub user nor a team`,
    'write a user as alice, and a team as team:org/slug',
  );
});

export const approve = z.strictObject({
  from: oneOrMore(approver, 50)
    .describe(
      'Who may approve: GitHub users, and teams as team:org/slug. Default: every person who may write to the repository.',
    )
    .optional(),
  count: z
    .int('must be a whole number')
    .min(1, 'at least 1')
    .max(20, 'at most 20')
    .describe('How many people have to approve. Default: 1.')
    .optional(),
  'not-author': z
    .boolean()
    .describe(
      'Whether those who made the commits, sent the event or asked for the run do not count. Default: false.',
    )
    .optional(),
  timeout: wait
    .describe('When the run has waited so long, it is cancelled, such as 24h. Default: never.')
    .optional(),
});

const timeRange = z
  .string()
  .max(100, 'more than 100 characters')
  .transform((text, context): TimeRange => {
    const range = parseTimeRange(text);
    if (range !== undefined) return range;
    const hint =
      'write it like Mon-Fri 09:00-16:00, Sat,Sun, 22:00-06:00, or 2026-12-20/2027-01-03';
    problem(context, `"${text}" is no range of time`, hint);
    return z.NEVER;
  });

const ranges = z.array(timeRange).min(1, 'the list is empty').max(20, 'more than 20 entries');

const window = z
  .strictObject({
    allow: ranges
      .describe(
        'When runs may start: days and hours such as Mon-Fri 09:00-16:00, or dates such as 2026-12-01/2026-12-19. Default: always.',
      )
      .optional(),
    deny: ranges
      .describe('When they may not, whatever "allow" says; written in the same way.')
      .optional(),
    timezone: timeZone
      .describe('Whose clock it goes by, as in Europe/Berlin. Default: UTC.')
      .optional(),
  })
  .superRefine(({ allow, deny }, context) => {
    if (allow !== undefined || deny !== undefined) return;
    problem(context, 'neither "allow" nor "deny" says when runs may start', 'add one of them');
  });

/** One written entry of `gates:`. */
export const gate = z
  .strictObject({
    approve: approve.describe('People have to approve the run.').optional(),
    window: window.describe('The run starts at certain times only.').optional(),
  })
  .transform((written, context): Gate => {
    if (written.approve !== undefined && written.window === undefined)
      return toApprove(written.approve);
    if (written.window !== undefined && written.approve === undefined)
      return toWindow(written.window);
    problem(context, 'a gate is one of "approve" and "window"', 'write one entry for each');
    return z.NEVER;
  });

/** With its defaults. */
export function toApprove(written: z.output<typeof approve>): ApproveGate {
  return {
    kind: 'approve',
    from: written.from ?? [],
    count: written.count ?? 1,
    notAuthor: written['not-author'] ?? false,
    timeoutMs: written.timeout,
  };
}

function toWindow({
  allow = [],
  deny = [],
  timezone = 'UTC',
}: z.output<typeof window>): WindowGate {
  return { kind: 'window', allow, deny, timeZone: timezone };
}

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

function parseTimeRange(text: string): TimeRange | undefined {
  return parseDates(text) ?? parseWeekly(text);
}

/** `2026-12-20/2027-01-03`, both days included, `2026-12-24`, or with times `2026-12-24T14:00/2026-12-27T06:00`. */
function parseDates(text: string): TimeRange | undefined {
  const [first = '', last = first, ...more] = text.split('/');
  const from = first.includes('T') ? first : `${first}T00:00`;
  const to = last.includes('T') ? last : dayAfter(last);
  if (more.length > 0 || !isWall(from) || to === undefined || !isWall(to) || from >= to)
    return undefined;
  return { kind: 'dates', from, to, text };
}

function dayAfter(date: string): string | undefined {
  if (!isWall(`${date}T00:00`)) return undefined;
  return `${new Date(Date.parse(`${date}T00:00Z`) + 86_400_000).toISOString().slice(0, 10)}T00:00`;
}

/** Whether such a day and time are there, unlike 2026-02-30. */
function isWall(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d$/.test(text)) return false;
  const at = Date.parse(`${text}Z`);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text);
}

/** `Mon-Fri 09:00-16:00`, `Sat,Sun`, `22:00-06:00`. */
function parseWeekly(text: string): TimeRange | undefined {
  const parts = text.split(' ');
  const times = parts.at(-1)?.includes(':') ? parts.pop() : undefined;
  const [days = 'sun-sat', ...more] = parts;
  const on = daysOf(days);
  const [from = '', to = '', ...others] = (times ?? '00:00-24:00').split('-');
  const [begin, end] = [minuteOf(from), minuteOf(to)];
  if (on === undefined || begin === undefined || end === undefined) return undefined;
  if (more.length > 0 || others.length > 0 || begin === end || begin === 1440) return undefined;
  return { kind: 'weekly', days: on, from: begin, to: end, text };
}

function daysOf(text: string): number[] | undefined {
  const days = new Set<number>();
  for (const part of text.toLowerCase().split(',')) {
    const [first = '', last = first, ...more] = part.split('-');
    if (more.length > 0) return undefined;
    const [from, to] = [DAYS.indexOf(first), DAYS.indexOf(last)];
    if (from === -1 || to === -1) return undefined;
    for (let day = from; ; day = (day + 1) % 7) {
      days.add(day);
      if (day === to) break;
    }
  }
  return [...days];
}

function minuteOf(text: string): number | undefined {
  const [, hour, minute] = /^(\d\d):(\d\d)$/.exec(text) ?? [];
  const at = Number(hour) * 60 + Number(minute);
  return at <= 1440 && Number(minute) < 60 ? at : undefined;
}
