import type { Clock } from '../../lib/clock.ts';
import { describeError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Mirrors } from '../../git/mirrors.ts';
import type { LoadedSpec } from '../../model/deployment-spec.ts';
import type { Catalog } from '../../spec/catalog.ts';
import { pushRefMatches } from '../../spec/match-push.ts';
import { endOf, isWholeWay, leadsTo, leftAt, NO_COMMIT } from '../../model/push-history.ts';
import type { IncomingDelivery } from '../../store/inbox.ts';
import type { Store, Tables } from '../../store/index.ts';
import type { Repositories } from '../../store/repositories.ts';
import { deliveryIdOf, pushEventName, pushPayload, type BranchMove } from '../push-payload.ts';
import { createReopenGivenUp } from './reopen-given-up.ts';
import { ownDelivery } from '../own-delivery.ts';

/** Repositories that are looked at at once. */
const PARALLEL = 4;
/** Branches of a repository that are looked at. */
const MOST_BRANCHES = 10_000;
/** So long after a delivery told that a branch has left a commit, in milliseconds, git is believed that it is there. */
const BELIEVED_AFTER_MS = 5 * 60_000;
/**
 * Looks where the branches are that push triggers name, and puts the push of which no delivery told into the inbox, where it is
 * matched, ordered and explained like any other. One request for each repository. The first look at a repository only
 * notes where its branches are. What a delivery has told, or waits to tell, is left to it.
 */
export interface Reconcile {
  /** Looks at every repository once. A repository that cannot be reached is logged and left out. */
  look(signal: AbortSignal): Promise<void>;
  /** Looks again and again, every `intervalMs` or up to a fifth more or less, until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export function createReconcile(deps: {
  store: Store;
  mirrors: Pick<Mirrors, 'heads' | 'isAncestor' | 'commit' | 'standing' | 'resolveTag'>;
  catalog: Pick<Catalog, 'current'>;
  intervalMs: number;
  clock: Clock;
  logger: Logger;
}): Reconcile {
  const { store, mirrors, clock, logger } = deps;
  const reopen = createReopenGivenUp(deps);

  async function lookAt(
    named: string,
    specs: readonly LoadedSpec[],
    signal: AbortSignal,
  ): Promise<void> {
    const since = await store.pushes.last();
    const heads = await mirrors.heads(named, { signal });
    // Git may just have learned of another one.
    const [repository] = await store.repositories.namesOf(named);
    // Asked after the heads: a delivery that comes now tells of a move that they may not show yet.
    if (await store.inbox.hasPending(repository)) return;
    const last = await store.branchHeads.of(repository);
    const isFirst = last.size === 0;
    // One that is where it was may have been elsewhere meanwhile.
    const moved = await store.pushes.movedSinceLook(repository);
    for (const [branch, sha] of [...heads].slice(0, MOST_BRANCHES)) {
      const ref = `refs/heads/${branch}`;
      if (last.get(ref) === sha && !moved.has(ref)) continue;
      const isNamed = !isFirst && specs.some((loaded) => names(loaded, branch));
      const seen = { repository, ref, sha, since };
      if (isNamed) await find(seen, signal);
      else await see(store, seen);
    }
    for (const ref of last.keys()) {
      const isGone = !heads.has(ref.slice('refs/heads/'.length));
      if (isGone) await store.branchHeads.forget(repository, ref);
    }
  }

  async function see(tables: Tables, { repository, ref, sha, since }: Seen): Promise<void> {
    await tables.branchHeads.see(repository, ref, { sha, pushSeq: since, seenAt: clock.now() });
  }

  /** A branch that a spec names is elsewhere than before: notes it, and tells of it unless deliveries have. */
  async function find(seen: Seen, signal: AbortSignal): Promise<void> {
    const { repository, ref, sha: after, since } = seen;
    const history = await store.pushes.history(repository, ref);
    const before = history.seen === undefined ? NO_COMMIT : (endOf(history) ?? NO_COMMIT);
    const move = { repository, ref, before, after, since };
    const isTold = leadsTo(history, after);
    const left = leftAt(history, after);
    // What was just told may be newer than what git shows: a later look says.
    if (!isTold && left !== undefined && clock.now() - left < BELIEVED_AFTER_MS) return;
    const found = isTold ? undefined : await describe(move, signal);
    const isNew = await store.atomically(async (tables) => {
      await tables.pushes.lock(repository);
      // As it is now, which a delivery or another look may have changed.
      const { seen: now, pushes } = await tables.pushes.history(repository, ref);
      if (now?.sha === after && now.seq >= since) return false;
      if (leadsTo({ seen: now, pushes }, after)) {
        // Moves that are still to be told belong to those that are not forgotten here.
        if (now?.sha === after && !isWholeWay({ seen: now, pushes }, after)) return false;
        const bringing = pushes.findLast((push) => push.after === after && !push.found);
        await see(tables, { ...seen, since: Math.max(since, bringing?.seq ?? 0) });
        return false;
      }
      // It was told and has left since: the next look says.
      if (found === undefined) return false;
      await tables.inbox.store([found]);
      const told = { delivery: found.id, found: true, toldBy: undefined, seenAt: clock.now() };
      await tables.pushes.record({ repository, ref, before, after, ...told });
      await see(tables, seen);
      return true;
    });
    if (!isNew || found === undefined) return;
    const fields = { delivery: found.id, repository, ref, before, sha: after };
    logger.info(fields, 'push found by looking');
  }

  async function describe(move: BranchMove, signal: AbortSignal): Promise<IncomingDelivery> {
    const { repository, before, after } = move;
    const head = await mirrors.commit(repository, after, { signal });
    const forced =
      before !== NO_COMMIT && !(await mirrors.isAncestor(repository, before, after, { signal }));
    const own = { id: deliveryIdOf(move), event: pushEventName(repository), repository };
    return ownDelivery(own, pushPayload(move, head, forced), clock.now());
  }

  async function look(signal: AbortSignal): Promise<void> {
    const waiting = [...(await byRepository(deps.catalog.current().specs, store.repositories))];
    const work = async () => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        if (signal.aborted) return;
        const { repository, specs } = next[1];
        // There is nothing to be seen, which is known and no error.
        const installation = await store.installations.stateOf(repository);
        if (installation === 'removed' || installation === 'suspended') continue;
        try {
          await lookAt(repository, specs, signal);
        } catch (error) {
          if (signal.aborted) return;
          // That is a state which is shown, and not an error each minute.
          const level = installation === 'missing' ? 'debug' : 'warn';
          logger[level](
            { repository, error: describeError(error) },
            'branches cannot be looked at',
          );
        }
      }
    };
    const repositories = waiting.length;
    await Promise.all(Array.from({ length: PARALLEL }, work));
    await reopen(signal);
    logger.debug({ repositories }, 'branches looked at');
  }

  return {
    look,
    async run(signal) {
      while (!signal.aborted) {
        await look(signal);
        // Not all Mainsheets of the world in the same second.
        await clock.sleep(deps.intervalMs * (0.8 + 0.4 * Math.random()), signal);
      }
    },
  };
}

/** Where a look saw a branch. */
interface Seen {
  repository: string;
  ref: string;
  sha: string;
  /** The number of the last push that was told of before the look. */
  since: number;
}

/** The repositories with a push trigger for branches, by the names that they have now, and their specs. */
async function byRepository(
  all: readonly LoadedSpec[],
  repositories: Pick<Repositories, 'namesOf'>,
) {
  const found = new Map<string, { repository: string; specs: LoadedSpec[] }>();
  for (const loaded of all) {
    if (loaded.spec.on.push === undefined) continue;
    const [repository] = await repositories.namesOf(loaded.spec.repository);
    const key = repository.toLowerCase();
    const entry = found.get(key) ?? { repository, specs: [] };
    entry.specs.push(loaded);
    found.set(key, entry);
  }
  return found;
}

function names({ spec }: LoadedSpec, branch: string): boolean {
  const { push } = spec.on;
  const ref = `refs/heads/${branch}`;
  return push !== undefined && pushRefMatches(push, { ref, branch, tag: undefined }).matched;
}
