import { formatDuration } from '../lib/duration.ts';
import { formatWall } from '../lib/wall-clock.ts';
import { windowAt, type TimeWindow } from './window.ts';

/** What a run waits for before it may start. */
export type Gate = ApproveGate | WindowGate;

export interface ApproveGate {
  kind: 'approve';
  /** GitHub users, and teams as `team:org/slug`. Empty: every person who may write to the repository. */
  from: readonly string[];
  /** How many people have to approve. */
  count: number;
  /** Whether those who made the commits, sent the event or asked for the run do not count. */
  notAuthor: boolean;
  /** How long it waits, in milliseconds since the run was made, or has all of its batch; undefined: for ever. */
  timeoutMs: number | undefined;
}

export interface WindowGate extends TimeWindow {
  kind: 'window';
}

/** What a person has answered to the gates of one run. `override` opens its windows, `step:` lets a step go on. */
export interface GateAnswer {
  /** `github:login` in small letters, or `admin:name`. */
  person: string;
  kind: 'approve' | 'override' | `step:${string}`;
  /** Which of the spec's gates it counts for, by their positions. */
  gates: readonly number[];
  reason: string;
  /** Milliseconds since the epoch. */
  at: number;
}

/** One gate as it is now. */
export interface GateState {
  gate: Gate;
  isOpen: boolean;
  /** What it waits for, or what has opened it; for people. */
  detail: string;
}

/** All gates of a run as they are now. */
export interface GatesVerdict {
  gates: GateState[];
  isOpen: boolean;
  /** What the run waits for; empty when nothing. */
  reason: string;
  /** Why nothing is going to open it any more. */
  expired: string | undefined;
  /** When to look again, because time alone may change the verdict. */
  lookAt: number | undefined;
}

/** Looked at so often at least, in milliseconds: what the clock does where summer time begins or ends is not foreseen. */
const LOOK_AGAIN_MS = 3_600_000;

/** Whether a run that was made at `since` may start, and what it waits for if not. Pure. */
export function judgeGates(
  gates: readonly Gate[],
  { answers, since, now }: { answers: readonly GateAnswer[]; since: number; now: number },
): GatesVerdict {
  const states = gates.map((gate, index) => {
    const own = answers.filter(({ gates: counted }) => counted.includes(index));
    return gate.kind === 'approve'
      ? judgeApprove(gate, own, since, now)
      : judgeWindow(gate, own, now);
  });
  const closed = states.filter(({ isOpen }) => !isOpen);
  const looks = closed.flatMap(({ lookAt }) => lookAt ?? []);
  return {
    gates: states.map(({ gate, isOpen, detail }) => ({ gate, isOpen, detail })),
    isOpen: closed.length === 0,
    reason: closed.map(({ detail }) => detail).join('; '),
    expired: closed.find(({ expired }) => expired !== undefined)?.expired,
    lookAt: looks.length === 0 ? undefined : Math.min(...looks),
  };
}

interface Judged extends GateState {
  expired?: string;
  lookAt?: number;
}

function judgeApprove(
  gate: ApproveGate,
  answers: readonly GateAnswer[],
  since: number,
  now: number,
): Judged {
  const by = answers.filter(({ kind }) => kind === 'approve').map(({ person }) => nameOf(person));
  if (by.length >= gate.count)
    return { gate, isOpen: true, detail: `Approved by ${by.join(', ')}` };
  const missing = gate.count - by.length;
  const so = by.length === 0 ? '' : ` (${by.length} of ${gate.count}: ${by.join(', ')})`;
  const detail = `Waiting for ${missing} approval${missing === 1 ? '' : 's'} by ${fromWhom(gate)}${so}`;
  if (gate.timeoutMs === undefined) return { gate, isOpen: false, detail };
  const until = since + gate.timeoutMs;
  if (now < until) return { gate, isOpen: false, detail, lookAt: until };
  const expired = `Not approved within ${formatDuration(gate.timeoutMs)} by ${fromWhom(gate)}${so}`;
  return { gate, isOpen: false, detail, expired };
}

function judgeWindow(gate: WindowGate, answers: readonly GateAnswer[], now: number): Judged {
  const override = answers.find(({ kind }) => kind === 'override');
  if (override !== undefined) return { gate, isOpen: true, detail: overrideText(override) };
  const { isOpen, denied, opensAt } = windowAt(gate, now);
  if (isOpen) return { gate, isOpen, detail: 'In its window' };
  const why = denied === undefined ? 'Outside its window' : `Frozen (${denied.text})`;
  const opens =
    opensAt === undefined
      ? 'nothing in sight opens it'
      : `opens ${formatWall(opensAt, gate.timeZone)}`;
  return {
    gate,
    isOpen,
    detail: `${why}: ${opens}`,
    lookAt: Math.min(opensAt ?? Infinity, now + LOOK_AGAIN_MS),
  };
}

/** What is told of an override wherever the run is shown. Pure. */
export function overrideText({ person, reason }: Pick<GateAnswer, 'person' | 'reason'>): string {
  return `Window overridden by ${nameOf(person)}: ${reason}`;
}

/** A gate in one line, for people. Pure. */
export function describeGate(gate: Gate): string {
  if (gate.kind === 'approve') {
    const { count, notAuthor, timeoutMs } = gate;
    const without = notAuthor ? ', not the author' : '';
    const within = timeoutMs === undefined ? '' : `, within ${formatDuration(timeoutMs)}`;
    return `${count} approval${count === 1 ? '' : 's'} by ${fromWhom(gate)}${without}${within}`;
  }
  const list = (ranges: TimeWindow['allow']) => ranges.map(({ text }) => text).join(', ');
  const allow = gate.allow.length === 0 ? [] : [`in ${list(gate.allow)}`];
  const deny = gate.deny.length === 0 ? [] : [`not in ${list(gate.deny)}`];
  return `starts ${[...allow, ...deny].join(', ')} (${gate.timeZone})`;
}

function fromWhom({ from }: ApproveGate): string {
  return from.length === 0 ? 'people who may write to the repository' : from.join(', ');
}

/** `alice` of `github:alice`. */
export function nameOf(person: string): string {
  return person.slice(person.indexOf(':') + 1);
}
