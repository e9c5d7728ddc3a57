import { TerminalError } from '../lib/errors.ts';
import type { LoadedSpec } from '../model/deployment-spec.ts';
import type { PauseTarget } from '../model/pause.ts';
import type { Run } from '../model/run.ts';
import type { Catalog } from '../spec/catalog.ts';
import type { Store } from '../store/index.ts';
import type { KeptDelivery } from '../store/inbox.ts';
import type { OutboxEntry } from '../store/outbox.ts';
import type { Action, Viewer } from './auth/viewer.ts';
import { heldRepositories } from './read/held.ts';
import { ProblemError } from './problem.ts';

/** What something is done to. */
type Target = PauseTarget | { kind: 'run' | 'delivery' | 'entry'; name: string };

/** Finds what a request names, as far as its viewer may see it, and checks that they may do what is asked of it (G12). */
export interface Guard {
  /** Throws TerminalError `run-unknown`. */
  run(viewer: Viewer, id: string): Promise<Run>;
  /** Throws TerminalError `delivery-unknown`. */
  delivery(viewer: Viewer, id: string): Promise<KeptDelivery>;
  /** A callback with its run; undefined: it is of none. Throws TerminalError `entry-unknown`. */
  entry(viewer: Viewer, id: string): Promise<{ entry: OutboxEntry; run: Run | undefined }>;
  /** One that is in use. Throws TerminalError `spec-unknown`. */
  spec(viewer: Viewer, name: string): LoadedSpec;
  /**
   * Who does `action` to that, by their actor. A lane is every spec in it. Those who may do everything hear from the action itself that
   * there is no such thing. Throws as above, TerminalError `lane-unknown`, and ProblemError `not-allowed`.
   */
  allow(viewer: Viewer, action: Action, target: Target): Promise<string>;
}

export function createGuard(deps: {
  store: Pick<Store, 'runs' | 'inbox' | 'outbox' | 'environments'>;
  catalog: Pick<Catalog, 'current' | 'byName'>;
}): Guard {
  const { store, catalog } = deps;

  async function run(viewer: Viewer, id: string): Promise<Run> {
    const one = await store.runs.get(id);
    return found(one !== undefined && viewer.canSee(one.repository) ? one : undefined, 'run', id);
  }

  async function delivery(viewer: Viewer, id: string): Promise<KeptDelivery> {
    const one = await store.inbox.get(id);
    if (one !== undefined && viewer.canSee(one.delivery.repository)) return one;
    throw new TerminalError('delivery-unknown', `there is no delivery ${id}`, {
      hint: '"mainsheet deliveries" lists them; ids are those that GitHub shows under "Recent deliveries"',
    });
  }

  async function entry(viewer: Viewer, id: string) {
    const one = /^\d{1,15}$/.test(id) ? await store.outbox.get(Number(id)) : undefined;
    const of = one && (await store.runs.get(one.run));
    const isVisible = one !== undefined && viewer.canSee(of?.repository);
    return { entry: found(isVisible ? one : undefined, 'entry', id), run: of };
  }

  /** All that are to be the viewer's to act on. */
  async function concerned(
    viewer: Viewer,
    { kind, name }: Target,
  ): Promise<(string | undefined)[]> {
    if (kind === 'run') return [(await run(viewer, name)).repository];
    if (kind === 'delivery') return [(await delivery(viewer, name)).delivery.repository];
    if (kind === 'entry') return [(await entry(viewer, name)).run?.repository];
    const repositories = await heldRepositories(deps, { kind, name });
    const isVisible = repositories.length > 0 && repositories.every((one) => viewer.canSee(one));
    return found(isVisible ? repositories : undefined, kind, name);
  }

  return {
    run,
    delivery,
    entry,
    spec(viewer, name) {
      const loaded = catalog.byName(name);
      const isVisible = loaded !== undefined && viewer.canSee(loaded.spec.repository);
      return found(isVisible ? loaded : undefined, 'spec', name);
    },
    async allow(viewer, action, target) {
      if (viewer.visible === undefined) return viewer.actor;
      for (const repository of await concerned(viewer, target)) {
        if (viewer.canDo(action, repository)) continue;
        const what = `you may not ${action} what ${repository ?? ''} deploys`;
        throw new ProblemError(403, 'not-allowed', what, {
          hint: 'that takes a higher permission on the repository',
        });
      }
      return viewer.actor;
    },
  };
}

/** What things are called, and the command that lists them. */
const THINGS = {
  run: { name: 'run', list: 'runs' },
  entry: { name: 'callback', list: 'outbox' },
  spec: { name: 'deployment spec', list: 'specs' },
  lane: { name: 'lane', list: 'specs' },
  hook: { name: 'hook', list: 'hooks list' },
};

/** A thing that is not there and one that may not be seen are the same to a viewer. Throws TerminalError. */
export function found<Thing>(
  thing: Thing | undefined,
  kind: keyof typeof THINGS,
  name: string,
): Thing {
  if (thing !== undefined) return thing;
  const { name: what, list } = THINGS[kind];
  throw new TerminalError(`${kind}-unknown`, `there is no ${what} ${name}`, {
    hint: `"mainsheet ${list}" lists what there is`,
  });
}

/** For what concerns every repository. Throws ProblemError 403. */
export function forAll(viewer: Viewer, doing: string): void {
  if (viewer.visible === undefined) return;
  throw new ProblemError(403, 'not-allowed', `you may not ${doing}`, {
    hint: 'that takes the admin token, or to be one of MAINSHEET_ADMINS',
  });
}
