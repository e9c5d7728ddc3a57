import type { Clock } from '../../lib/clock.ts';

/** Spaces what goes to a place that takes about one message a second, or in `everyMs`. Each process keeps to it by itself. */
export interface Pace {
  /** Milliseconds until the target's message may go to the place: 0 when it may now. Until then its turn is kept. */
  wait(place: string, target: string, everyMs?: number): number;
}

/** https://docs.slack.dev/apis/web-api/rate-limits: one a second, for a channel and for an incoming webhook. */
const EVERY_MS = 1000;
/** More turns than these are not kept, nor those that were not taken for this long. */
const MOST_TURNS = 1000;
const LAPSED_MS = 60_000;

/** Places live in memory alone, since a URL may be a secret. */
export function createPace(clock: Pick<Clock, 'elapsed'>): Pace {
  /** When the next message may go to a place. */
  const next = new Map<string, number>();
  const turns = new Map<string, number>();

  function tidy(now: number): void {
    for (const [place, at] of next) if (at <= now) next.delete(place);
    for (const [target, at] of turns) if (at < now - LAPSED_MS) turns.delete(target);
  }

  return {
    wait(place, target, everyMs = EVERY_MS) {
      const now = clock.elapsed();
      tidy(now);
      const known = turns.get(target);
      if (known !== undefined && known > now) return known - now;
      if (turns.delete(target)) return 0;
      const turn = next.get(place) ?? now;
      if (turn > now && turns.size >= MOST_TURNS) return everyMs;
      next.set(place, turn + everyMs);
      if (turn > now) turns.set(target, turn);
      return turn - now;
    },
  };
}
