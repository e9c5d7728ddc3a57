import * as z from 'zod';
import type { ApproveGate, Gate } from '../model/gate.ts';
import type { TimeRange } from '../model/window.ts';
import {
  listOf,
  LOGIN,
  oneOrMore,
  optional,
  problem,
  textUpTo,
  timeZone,
  wait,
  whole,
} from './schema-fields.ts';

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
  from: optional(
    'Who may approve: GitHub users, and teams as team:org/slug. Default: every person who may write to the repository.',
    oneOrMore(approver, 50),
  ),
  count: optional('How many people have to approve. Default: 1.', whole(1, 20)),
  'not-author': optional(
    'Whether those who made the commits, sent the event or asked for the run do not count. Default: false.',
    z.boolean(),
  ),
  timeout: optional(
    'When the run has waited so long, it is cancelled, such as 24h. Default: never.',
    wait,
  ),
});

const timeRange = textUpTo(100).transform((text, context): TimeRange => {
  const range = parseTimeRange(text);
  if (range !== undefined) return range;
  const hint = 'write it like Mon-Fri 09:00-16:00, Sat,Sun, 22:00-06:00, or 2026-12-20/2027-01-03';
  problem(context, `"${text}" is no range of time`, hint);
  return z.NEVER;
});

const ranges = listOf(timeRange, 20);

const window = z
  .strictObject({
    allow: optional(
      'When runs may start: days and hours such as Mon-Fri 09:00-16:00, or dates such as 2026-12-01/2026-12-19. Default: always.',
      ranges,
    ),
    deny: optional('When they may not, whatever "allow" says; written in the same way.', ranges),
    timezone: optional('Whose clock it goes by, as in Europe/Berlin. Default: UTC.', timeZone),
  })
  .superRefine(({ allow, deny }, context) => {
    if (allow !== undefined || deny !== undefined) return;
    problem(context, 'neither "allow" nor "deny" says when runs may start', 'add one of them');
  })
  .transform(({ allow = [], deny = [], timezone = 'UTC' }) => ({
    kind: 'window' as const,
    allow,
    deny,
    timeZone: timezone,
  }));

/** One written entry of `gates:`. */
export const gate = z
  .strictObject({
    approve: optional('People have to approve the run.', approve.transform(toApprove)),
    window: optional('The run starts at certain times only.', window),
  })
  .transform(({ approve: people, window: times }, context): Gate => {
    const one = people ?? times;
    if (one !== undefined && (people === undefined || times === undefined)) return one;
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
