import type { Clock } from '../lib/clock.ts';
import { describeError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { Mirrors } from '../git/mirrors.ts';
import type { LoadedSpec } from '../model/deployment-spec.ts';
import type { Catalog } from '../spec/catalog.ts';
import { pushRefMatches } from '../spec/match-push.ts';
import type { Store } from '../store/index.ts';
import type { Repositories } from '../store/repositories.ts';
import { deliveryIdOf, pushPayload, type BranchMove } from './push-payload.ts';

/** Repositories that are looked at at once. */
const PARALLEL = 4;
/** Branches of a repository that are looked at. */
const MOST_BRANCHES = 10_000;

/**
 * Looks where the branches are that push triggers name, and puts the push that nobody told of into the inbox, where it is
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
  mirrors: Pick<Mirrors, 'heads' | 'isAncestor' | 'commit'>;
  catalog: Pick<Catalog, 'current'>;
  intervalMs: number;
  onAccepted: () => void;
  clock: Clock;
  logger: Logger;
}): Reconcile {
  const { store, mirrors, clock, logger } = deps;

  async function lookAt(
    named: string,
    specs: readonly LoadedSpec[],
    signal: AbortSignal,
  ): Promise<void> {
    const heads = await mirrors.heads(named, { signal });
    // Git may just have learned of another one.
    const [repository] = await store.repositories.namesOf(named);
    // Asked after the heads: a delivery that comes now tells of a move that they may not show yet.
    if (await store.inbox.hasPending(repository)) return;
    const last = await store.branchHeads.of(repository);
    const isFirst = last.size === 0;
    for (const [branch, after] of [...heads].slice(0, MOST_BRANCHES)) {
      const ref = `refs/heads/${branch}`;
      const known = last.get(ref);
      if (known?.sha === after) continue;
      const isWatched = !isFirst && specs.some((loaded) => names(loaded, branch));
      const told =
        isWatched && (await store.pushes.broughtTo(repository, ref, after)) !== undefined;
      if (isWatched && !told) {
        // A branch that was gone in between may be made where it was made before.
        const since = known?.seenAt ?? (await store.pushes.last(repository, ref));
        await accept({ repository, ref, before: known?.sha, after, since }, signal);
      }
      await store.branchHeads.see(repository, ref, after, clock.now());
    }
    for (const ref of last.keys()) {
      const isGone = !heads.has(ref.slice('refs/heads/'.length));
      if (isGone) await store.branchHeads.see(repository, ref, undefined, clock.now());
    }
  }

  async function accept(move: BranchMove, signal: AbortSignal): Promise<void> {
    const { repository, ref, before, after } = move;
    const id = deliveryIdOf(move);
    const head = await mirrors.commit(repository, after, { signal });
    const forced =
      before !== undefined && !(await mirrors.isAncestor(repository, before, after, { signal }));
    const isNew = await store.accept({
      id,
      event: 'push',
      action: undefined,
      repository,
      payload: JSON.stringify(pushPayload(move, head, forced)),
      receivedAt: clock.now(),
    });
    if (!isNew) return;
    logger.info({ delivery: id, repository, ref, before, sha: after }, 'push found by looking');
    deps.onAccepted();
  }

  async function look(signal: AbortSignal): Promise<void> {
    const waiting = [...(await byRepository(deps.catalog.current().specs, store.repositories))];
    const work = async () => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        if (signal.aborted) return;
        const { repository, specs } = next[1];
        try {
          await lookAt(repository, specs, signal);
        } catch (error) {
          if (signal.aborted) return;
          logger.warn({ repository, error: describeError(error) }, 'branches cannot be looked at');
        }
      }
    };
    const repositories = waiting.length;
    await Promise.all(Array.from({ length: PARALLEL }, work));
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
