import type { PushEvent } from './event.ts';

/** How GitHub writes "no commit": where a ref is before it is made, and after it was deleted. */
export const NO_COMMIT = '0'.repeat(40);

/** A move of a ref. */
export interface Move {
  /** `NO_COMMIT` for a ref that is new. */
  before: string;
  /** `NO_COMMIT` for a ref that is gone. */
  after: string;
}

/** A move that was told of. */
export interface ToldPush extends Move {
  /** The order in which moves were told, which need not be that in which they were made. */
  seq: number;
  delivery: string;
  /** It was found by looking: it may be several pushes in one. */
  found: boolean;
  /** The delivery of the found move that this push is (a part of); undefined: it stands for itself. */
  toldBy: string | undefined;
  /** When it was told of, in milliseconds since the epoch. */
  seenAt: number;
}

/** The move that a push event tells of. */
export function moveOf({ before, sha }: Pick<PushEvent, 'before' | 'sha'>): Move {
  return { before: before ?? NO_COMMIT, after: sha ?? NO_COMMIT };
}

/** What is known of one ref. */
export interface PushHistory {
  /** Where the last look saw it, and the last move that was told by then; undefined when none saw it. */
  seen: { sha: string; seq: number } | undefined;
  /** Oldest first. */
  pushes: readonly ToldPush[];
}

/**
 * Whether the moves that deliveries told of since the last look lead to `head`, so that a look has nothing to tell: the ref
 * came there once more than it left. In whichever order they were told. Pure.
 */
export function leadsTo(history: PushHistory, head: string): boolean {
  return (arrivals(sinceLook(history), history.seen?.sha).get(head) ?? 0) > 0;
}

/** Whether the moves that deliveries told of since the last look are a whole way to `head`: none is still to be told. Pure. */
export function isWholeWay(history: PushHistory, head: string): boolean {
  const net = arrivals(sinceLook(history), history.seen?.sha, head);
  return [...net.values()].every((count) => count === 0);
}

/** Where the moves that were told of since the last look end: what a look finds has begun there. Pure. */
export function endOf(history: PushHistory): string | undefined {
  const told = sinceLook(history);
  const net = arrivals(told, history.seen?.sha);
  const isEnd = (sha: string) => (net.get(sha) ?? 0) > 0;
  const { seen } = history;
  if (seen !== undefined && isEnd(seen.sha)) return seen.sha;
  return told.findLast(({ after }) => isEnd(after))?.after ?? seen?.sha;
}

/**
 * The found move that a push which GitHub tells of is a part of, so that it makes no runs of its own; undefined when the push
 * stands for itself. `head` is where the ref was on the server after the push was told of, as far as it is known.
 *
 * The told moves of a ref are a way through its commits. Where the ref came to a commit and is not known to have left it, or
 * the other way round, the way has a gap, and a push belongs where it fills one: in the way since the last look, or within a
 * found move, which is a gap until all the pushes that it was made of have been told. A found move is preferred unless the
 * push fills a gap since the last look at both ends. Pure.
 */
export function partOf(
  history: PushHistory,
  push: Move,
  head: string | undefined,
): ToldPush | undefined {
  const { seen, pushes } = history;
  const fits = fit(arrivals(sinceLook(history), seen?.sha, head), push);
  if (fits === 2) return undefined;
  let best: { found: ToldPush; fits: number } | undefined;
  for (const found of pushes.filter((one) => one.found)) {
    const gap = arrivals(partsOf(pushes, found), found.before, found.after);
    if ([...gap.values()].every((count) => count === 0)) continue;
    const here = fit(gap, push);
    // Of several that it is the whole of, the oldest; else the newest.
    const isBetter = best === undefined || here > best.fits || (here === best.fits && here < 2);
    if (here >= fits && isBetter) best = { found, fits: here };
  }
  return best?.found;
}

/**
 * Whether a push was overtaken: since the last look, or within a found move, the ref left the commit once more than it is known
 * to have come there, so that it is no wonder when the server does not show it. Where a look saw the ref, it had come. Pure.
 */
export function wasLeft(history: PushHistory, { before, after }: Move): boolean {
  const { seen, pushes } = history;
  const net = arrivals(sinceLook(history), seen?.sha);
  // Where no look saw the ref, nothing tells where it began, and a push that goes on from the one end of what was told comes
  // after it.
  const ends = [...net].filter(([, count]) => count > 0).map(([sha]) => sha);
  const goesOn = seen === undefined && ends.length === 1 && ends[0] === before;
  if ((net.get(after) ?? 0) < 0 && !goesOn) return true;
  const isLeftWithin = (found: ToldPush) =>
    (arrivals(partsOf(pushes, found), found.before).get(after) ?? 0) < 0;
  return pushes.some((one) => one.found && isLeftWithin(one));
}

/**
 * When a delivery last told that the ref has left `head` since the last look; undefined when none did. Until some time after
 * that, what shows the ref there may just be older. Pure.
 */
export function leftAt(history: PushHistory, head: string): number | undefined {
  return sinceLook(history).findLast(({ before, found }) => before === head && !found)?.seenAt;
}

/** Moves since the last look that stand for themselves. What was found has led to where that look saw the ref. */
function sinceLook({ seen, pushes }: PushHistory): ToldPush[] {
  const own = pushes.filter(({ toldBy }) => toldBy === undefined);
  return seen === undefined ? own : own.filter(({ seq, found }) => !found && seq > seen.seq);
}

/** What was told of a found move. */
function partsOf(pushes: readonly ToldPush[], found: ToldPush): ToldPush[] {
  return pushes.filter(({ toldBy }) => toldBy === found.delivery);
}

/** How much more often the ref came to each commit than it left it, on a way from `start` to `end`. */
function arrivals(
  moves: readonly Move[],
  start: string | undefined,
  end?: string,
): Map<string, number> {
  const net = new Map<string, number>();
  const count = (sha: string, by: number) => net.set(sha, (net.get(sha) ?? 0) + by);
  if (start !== undefined) count(start, 1);
  for (const { before, after } of moves) {
    count(before, -1);
    count(after, 1);
  }
  if (end !== undefined) count(end, -1);
  return net;
}

/** At how many of its ends a push fills a gap. */
function fit(net: ReadonlyMap<string, number>, { before, after }: Move): number {
  return Number((net.get(before) ?? 0) > 0) + Number((net.get(after) ?? 0) < 0);
}
