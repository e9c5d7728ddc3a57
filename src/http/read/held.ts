import type { LoadedSpec } from '../../model/deployment-spec.ts';
import {
  isHeldBy,
  withoutReason,
  type Pause,
  type PauseTarget,
  type SeenPause,
} from '../../model/pause.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store } from '../../store/index.ts';
import type { Viewer } from '../auth/viewer.ts';

interface HeldDeps {
  catalog: Pick<Catalog, 'current'>;
  store: Pick<Store, 'environments'>;
}

/** The specs that a pause of `target` holds. */
export function heldSpecs(specs: readonly LoadedSpec[], target: PauseTarget): LoadedSpec['spec'][] {
  return specs
    .map(({ spec }) => spec)
    .filter(({ name, concurrency: { lane } }) => isHeldBy({ spec: name, lane }, target));
}

/** The repositories of what a pause of `target` holds: those of specs in use, and what others have deployed there before they were gone. */
export async function heldRepositories(
  { catalog, store }: HeldDeps,
  target: PauseTarget,
): Promise<string[]> {
  const specs = heldSpecs(catalog.current().specs, target);
  const places = (await store.environments.list()).filter(
    (place) => isHeldBy(place, target) && !specs.some(({ name }) => name === place.spec),
  );
  return [...specs, ...places].map(({ repository }) => repository);
}

/**
 * What is paused, oldest first, as far as a viewer may know it: by whom and why is for those who may see all repositories that a pause
 * holds, because it may be about any of them.
 */
export async function seenPauses(
  deps: HeldDeps & { store: Pick<Store, 'pauses'> },
  viewer: Viewer,
): Promise<SeenPause[]> {
  const pauses = await deps.store.pauses.list();
  return await Promise.all(pauses.map((pause) => seenPause(deps, viewer, pause)));
}

/** A pause as far as a viewer may know it. */
export async function seenPause(deps: HeldDeps, viewer: Viewer, pause: Pause): Promise<SeenPause> {
  if (viewer.visible === undefined) return pause;
  const repositories = await heldRepositories(deps, pause);
  return repositories.every((name) => viewer.canSee(name)) ? pause : withoutReason(pause);
}

/**
 * Those of the pauses that a viewer may resume: who may do so to all that a pause holds. A pause outlives its spec: only who may
 * see everything resumes it then.
 */
export async function resumable<Known extends PauseTarget>(
  deps: HeldDeps,
  viewer: Viewer,
  pauses: readonly Known[],
): Promise<Known[]> {
  if (viewer.visible === undefined) return [...pauses];
  const held = await Promise.all(pauses.map((pause) => heldRepositories(deps, pause)));
  return pauses.filter((_, at) => {
    const repositories = held[at] ?? [];
    return repositories.length > 0 && repositories.every((name) => viewer.canDo('resume', name));
  });
}
