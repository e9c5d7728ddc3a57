import { setImmediate as nextTurn } from 'node:timers/promises';
import { createChain, type Link } from '../lib/chain.ts';
import type { Clock } from '../lib/clock.ts';
import { ProblemError } from './problem.ts';

const MIB = 1024 * 1024;

/** What bodies that are being read may take, in bytes. */
export interface BodyLimits {
  /** GitHub caps payloads at 25 MB: https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap */
  each: number;
  /** More than this of one body makes it a large one. */
  small: number;
  together: number;
  /** Of `together`, what large bodies never get. */
  reserve: number;
}

export const BODY_LIMITS: BodyLimits = {
  each: 25 * MIB,
  small: MIB,
  together: 256 * MIB,
  reserve: 64 * MIB,
};

/** In each such time a body has to bring so much: 16 KiB a second. */
const WINDOW_MS = 5000;
const LEAST_IN_WINDOW = 80 * 1024;

/** One body's place in the room. */
export interface BodyPlace {
  /** Takes so many bytes more. It may be the end of this body, or of others. */
  take(bytes: number): void;
  /** Says whether the reading is held up on this side: then the sender is not to blame. */
  holdUp(isHeldUp: boolean): void;
  leave(): void;
}

/** Where unverified bodies have their place. */
export interface BodyRoom {
  /** `end` is called, once at most, when the body has to go; its place is free by then. */
  enter(end: (problem: ProblemError) => void): BodyPlace;
}

/**
 * Nothing is known of a body's sender before its last byte. So there is room for small bodies that large ones never get, a body that
 * brings too little has to go, and when the room is full the slowest of the large ones makes place, or the largest of the small ones.
 */
export function createBodyRoom(
  clock: Pick<Clock, 'elapsed' | 'sleep'>,
  limits: BodyLimits,
): BodyRoom {
  const bodies = createChain<Body>();
  let held = 0;
  let heldByLarge = 0;
  /** Aborted when no body is left to be timed. */
  let timer: AbortController | undefined;
  /** Whether the timer is about to start. */
  let isSoon = false;

  function remove(body: Body): void {
    if (body.link === undefined || !bodies.remove(body.link)) return;
    body.link = undefined;
    held -= body.bytes;
    if (body.isLarge) heldByLarge -= body.bytes;
    if (bodies.size > 0) return;
    timer?.abort();
    timer = undefined;
  }

  function end(body: Body, problem: ProblemError): void {
    remove(body);
    body.end(problem);
  }

  function take(body: Body, bytes: number): void {
    if (body.link === undefined) return;
    body.bytes += bytes;
    held += bytes;
    if (body.isLarge) heldByLarge += bytes;
    else if (body.bytes > limits.small) {
      body.isLarge = true;
      heldByLarge += body.bytes;
    }
    if (body.bytes > limits.each) return end(body, tooLarge(limits.each));
    while (held > limits.together || heldByLarge > limits.together - limits.reserve) {
      const worst = worstOf(bodies, clock.elapsed());
      if (worst === undefined) return;
      end(worst, tooMany());
    }
  }

  /** Most bodies have come whole by then, and nothing has to be timed. */
  function startTimerSoon(): void {
    if (timer !== undefined || isSoon) return;
    isSoon = true;
    setImmediate(() => {
      isSoon = false;
      if (bodies.size > 0 && timer === undefined) void runTimer();
    });
  }

  /** While there are bodies, ends those that have brought too little in a window of time. */
  async function runTimer(): Promise<void> {
    const signal = (timer = new AbortController()).signal;
    while (!signal.aborted) {
      await clock.sleep(WINDOW_MS, signal);
      // When this process was held up itself, what came in the meantime is still to be read.
      await nextTurn();
      const now = clock.elapsed();
      for (const body of bodies) {
        if (body.isHeldUp || now - body.windowBegan < WINDOW_MS) continue;
        if (body.bytes - body.bytesBefore < LEAST_IN_WINDOW) end(body, tooSlow());
        beginWindow(body, now);
      }
    }
  }

  return {
    enter(onEnd) {
      const now = clock.elapsed();
      const body: Body = {
        bytes: 0,
        began: now,
        windowBegan: now,
        bytesBefore: 0,
        isLarge: false,
        isHeldUp: false,
        end: onEnd,
        link: undefined,
      };
      body.link = bodies.add(body);
      startTimerSoon();
      return {
        take: (bytes) => take(body, bytes),
        holdUp(isHeldUp) {
          body.isHeldUp = isHeldUp;
          beginWindow(body, clock.elapsed());
        },
        leave: () => remove(body),
      };
    },
  };
}

function beginWindow(body: Body, now: number): void {
  body.windowBegan = now;
  body.bytesBefore = body.bytes;
}

interface Body {
  bytes: number;
  began: number;
  /** Since when, and from how many bytes on, it has to bring enough. */
  windowBegan: number;
  bytesBefore: number;
  isLarge: boolean;
  isHeldUp: boolean;
  end: (problem: ProblemError) => void;
  /** Its place among those that are being read, as long as it is. */
  link: Link<Body> | undefined;
}

/**
 * The slowest of the large ones if there are any; else the largest, because a small body of GitHub's is often the slower one: it is
 * over before its connection has become fast.
 */
function worstOf(bodies: Iterable<Body>, now: number): Body | undefined {
  const rate = ({ bytes, began }: Body) => bytes / Math.max(1, now - began);
  let worst: Body | undefined;
  for (const body of bodies) {
    if (worst === undefined || isWorse(body, worst)) worst = body;
  }
  return worst;

  function isWorse(body: Body, other: Body): boolean {
    if (body.isLarge !== other.isLarge) return body.isLarge;
    const isSlower = rate(body) < rate(other);
    const isLarger = body.bytes > other.bytes;
    return body.isLarge
      ? isSlower || (rate(body) === rate(other) && isLarger)
      : isLarger || (body.bytes === other.bytes && isSlower);
  }
}

/** The body is larger than `limit` bytes, or says that it will be. */
export function tooLarge(limit: number): ProblemError {
  return new ProblemError(413, 'body-too-large', `the body is larger than ${limit} bytes`, {
    hint: 'GitHub sends at most 25 MB; check what else posts here',
    headers: { Connection: 'close' },
  });
}

function tooMany(): ProblemError {
  return new ProblemError(429, 'too-many-bodies', 'too many large requests are being read', {
    headers: { 'Retry-After': '5', Connection: 'close' },
  });
}

function tooSlow(): ProblemError {
  return new ProblemError(408, 'body-too-slow', 'the body comes too slowly', {
    hint: `at least ${LEAST_IN_WINDOW / 1024} KiB have to come in ${WINDOW_MS / 1000} seconds`,
    headers: { Connection: 'close' },
  });
}
