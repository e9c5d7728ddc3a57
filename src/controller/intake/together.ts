import type { Clock } from '../../lib/clock.ts';
import { RetryableError, TerminalError } from '../../lib/errors.ts';
import { createFairTurn } from '../../lib/fair-turn.ts';
import { NO_GRAPH, type CommitGraph } from '../../git/commit-graph.ts';
import type { Mirrors } from '../../git/mirrors.ts';
import type { LoadedSpec } from '../../model/deployment-spec.ts';
import type { Json, PushEvent, Standing } from '../../model/event.ts';
import { moveOf, type Move } from '../../model/push-history.ts';
import type { OrderMirrors } from '../../runs/ordering/ask-git.ts';
import type { Inbox, KeptDelivery } from '../../store/inbox.ts';
import { needsChangedPaths } from '../../spec/match.ts';
import { judgedBy, type Judged, type Recognize } from './judge.ts';
import { wantsStanding, type Resolve } from './resolve.ts';

/** Pushes that are judged together, and bytes of their payloads. */
const MOST = 250;
const MOST_BYTES = 8 * 1024 * 1024;

/** Pushes of one branch in the order they came, each with the verdicts on it. */
export interface JudgedPushes {
  /** Of the claimed one. */
  first: Judged;
  following: readonly { waiting: KeptDelivery; judged: Judged }[];
  /** Tells of git what was found out, without git; rejects with RetryableError `not-known` for all else. */
  known: OrderMirrors;
}

/**
 * Judges a claimed push together with those of its branch that wait right behind it: the server is asked once, and git once for the
 * part of the history that has all of them. One that takes more than that ends the group, and has a turn of its own. Undefined
 * when there is no group.
 */
export type JudgeTogether = (
  claimed: KeptDelivery,
  signal: AbortSignal,
) => Promise<JudgedPushes | undefined>;

export function createJudgeTogether(deps: {
  inbox: Pick<Inbox, 'following'>;
  mirrors: Pick<Mirrors, 'standings'>;
  recognize: Pick<Recognize, 'atOneMoment'>;
  resolve: Resolve;
  clock: Clock;
}): JudgeTogether {
  const { inbox, mirrors, resolve, clock } = deps;

  /** A push of which the payload leaves open only whether its branch has it. */
  async function read(
    { delivery, payload }: KeptDelivery,
    recognize: Recognize,
  ): Promise<Push | undefined> {
    try {
      const { event, candidates } = await recognize(delivery.event, JSON.parse(payload) as Json);
      if (event.kind !== 'push' || event.branch === undefined || event.deleted) return undefined;
      const specs = candidates.map(({ spec }) => spec);
      if (event.sha === undefined || needsChangedPaths(specs, event)) return undefined;
      return { event, sha: event.sha, candidates, payload };
    } catch {
      // Its own turn says what is wrong with it.
      return undefined;
    }
  }

  async function ask(
    { repository, ref }: PushEvent,
    moves: readonly Move[],
    options: { signal: AbortSignal; since: number | undefined },
  ): Promise<Found> {
    try {
      return await mirrors.standings(repository, ref, moves, options);
    } catch (error) {
      // Then each is asked about by itself, and says what that means.
      if (error instanceof TerminalError) return NOT_ASKED;
      throw error;
    }
  }

  async function judge(push: Push, look: Look, signal: AbortSignal): Promise<Judged | undefined> {
    const { event, sha, candidates } = push;
    if (wantsStanding(event, candidates) && look(sha) === undefined) return undefined;
    const payload = JSON.parse(push.payload) as Json;
    const resolved = await resolve(event, payload, candidates, signal, true, undefined, look);
    return await judgedBy({ event: resolved, candidates }, payload);
  }

  return async (claimed, signal) => {
    const recognize = deps.recognize.atOneMoment();
    const fairTurn = createFairTurn();
    const first = await read(claimed, recognize);
    if (first === undefined) return undefined;
    const { repository, ref } = first.event;
    const waiting = await inbox.following(claimed.delivery, clock.now(), MOST, MOST_BYTES);
    const behind: (Push & { waiting: KeptDelivery })[] = [];
    for (const one of waiting) {
      await fairTurn();
      const push = await read(one, recognize);
      if (push?.event.repository !== repository || push.event.ref !== ref) break;
      behind.push({ ...push, waiting: one });
    }
    if (behind.length === 0) return undefined;

    const wanting = [first, ...behind].filter((one) => wantsStanding(one.event, one.candidates));
    const moves = wanting.map(({ event }) => moveOf(event));
    const since = behind.at(-1)?.waiting.delivery.receivedAt;
    const found = moves.length === 0 ? NOT_ASKED : await ask(first.event, moves, { signal, since });
    const { head, graph } = found;
    const look: Look = (sha) =>
      head !== undefined && graph.leadsTo(head, sha) === true ? { head, reached: true } : undefined;

    const judged = await judge(first, look, signal);
    if (judged === undefined) return undefined;
    const following: { waiting: KeptDelivery; judged: Judged }[] = [];
    for (const push of behind) {
      await fairTurn();
      // What cannot be answered now has a turn of its own.
      const own = await judge(push, look, signal).catch(() => undefined);
      if (own === undefined) break;
      following.push({ waiting: push.waiting, judged: own });
    }
    return { first: judged, following, known: knownOf(first.event, found) };
  };
}

interface Push {
  event: PushEvent;
  sha: string;
  candidates: LoadedSpec[];
  /** JSON: what a hundred of these are made of is not to be in memory while git is asked. */
  payload: string;
}

/** What git said of the branch. */
interface Found {
  head: string | undefined;
  graph: CommitGraph;
}

const NOT_ASKED: Found = { head: undefined, graph: NO_GRAPH };

/** Where the branch is, when it has the commit for sure. */
type Look = (sha: string) => Standing | undefined;

function knownOf({ branch = '' }: PushEvent, { head, graph }: Found): OrderMirrors {
  const notKnown = () => new RetryableError('not-known', 'git has not been asked');
  return {
    async isAncestor(_repository, ancestor, descendant) {
      const answer = graph.leadsTo(descendant, ancestor);
      if (answer === undefined) throw notKnown();
      return answer;
    },
    async heads() {
      if (head === undefined) throw notKnown();
      return new Map([[branch, head]]);
    },
    async standing() {
      throw notKnown();
    },
  };
}
