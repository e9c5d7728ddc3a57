import type { Context } from 'koa';
import { TerminalError } from '../../lib/errors.ts';
import type { PauseTarget } from '../../model/pause.ts';
import type { Run } from '../../model/run.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store } from '../../store/index.ts';
import type { KeptDelivery } from '../../store/inbox.ts';
import type { OutboxEntry } from '../../store/outbox.ts';
import { viewerOf, type Action, type Viewer } from '../auth/viewer.ts';
import { allowed } from '../pages/page.ts';
import { heldRepositories } from '../read/held.ts';
import { ProblemError } from '../problem.ts';

/** What something is done to. */
type Target = PauseTarget | { kind: 'run' | 'delivery' | 'entry'; name: string };

/** Finds what a request names, as far as its viewer may see it, and checks that they may do what is asked of it (G12). */
export interface Guard {
  /** Throws TerminalError `run-unknown`. */
  run(ctx: Context, id: string): Promise<Run>;
  /** Throws TerminalError `delivery-unknown`. */
  delivery(ctx: Context, id: string): Promise<KeptDelivery>;
  /** Throws TerminalError `entry-unknown`. */
  entry(ctx: Context, id: string): Promise<OutboxEntry>;
  /**
   * Who does `action` to that, by their actor. A lane is every spec in it. Those who may do everything hear from the action itself that
   * there is no such thing. Throws as above, TerminalError `spec-unknown`, `lane-unknown`, and ProblemError `not-allowed`.
   */
  allow(ctx: Context, action: Action, target: Target): Promise<string>;
}

export function createGuard(deps: {
  store: Pick<Store, 'runs' | 'inbox' | 'outbox' | 'environments'>;
  catalog: Pick<Catalog, 'current'>;
}): Guard {
  const { store } = deps;

  async function run(ctx: Context, id: string): Promise<Run> {
    const found = await store.runs.get(id);
    if (found !== undefined && viewerOf(ctx).canSee(found.repository)) return found;
    throw new TerminalError('run-unknown', `there is no run ${id}`);
  }

  async function delivery(ctx: Context, id: string): Promise<KeptDelivery> {
    const found = await store.inbox.get(id);
    if (found !== undefined && viewerOf(ctx).canSee(found.delivery.repository)) return found;
    throw new TerminalError('delivery-unknown', `there is no delivery ${id}`, {
      hint: '"mainsheet deliveries" lists them; ids are those that GitHub shows under "Recent deliveries"',
    });
  }

  async function entryAndRepository(ctx: Context, id: string) {
    const entry = /^\d{1,15}$/.test(id) ? await store.outbox.get(Number(id)) : undefined;
    const repository = entry && (await store.runs.get(entry.run))?.repository;
    if (entry !== undefined && viewerOf(ctx).canSee(repository)) return { entry, repository };
    throw new TerminalError('entry-unknown', `there is no callback ${id}`);
  }

  /** All that are to be the viewer's to act on. */
  async function concerned(ctx: Context, target: Target): Promise<(string | undefined)[]> {
    const { kind, name } = target;
    if (kind === 'run') return [(await run(ctx, name)).repository];
    if (kind === 'delivery') return [(await delivery(ctx, name)).delivery.repository];
    if (kind === 'entry') return [(await entryAndRepository(ctx, name)).repository];
    const repositories = await heldRepositories(deps, { kind, name });
    const viewer = viewerOf(ctx);
    if (repositories.length > 0 && repositories.every((one) => viewer.canSee(one))) {
      return repositories;
    }
    const what = kind === 'spec' ? 'deployment spec' : 'lane';
    throw new TerminalError(`${kind}-unknown`, `there is no ${what} ${name}`);
  }

  return {
    run,
    delivery,
    entry: async (ctx, id) => (await entryAndRepository(ctx, id)).entry,
    async allow(ctx, action, target) {
      const viewer = viewerOf(ctx);
      if (viewer.visible === undefined) return viewer.actor;
      for (const repository of await concerned(ctx, target)) {
        allowed(viewer, action, repository ?? '');
      }
      return viewer.actor;
    },
  };
}

/** For what concerns every repository. Throws ProblemError 403. */
export function forAll(viewer: Viewer, doing: string): void {
  if (viewer.visible === undefined) return;
  throw new ProblemError(403, 'not-allowed', `you may not ${doing}`, {
    hint: 'that takes the admin token, or to be one of MAINSHEET_ADMINS',
  });
}
