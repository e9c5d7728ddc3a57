import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { previewPlace, teardownEventName, type TeardownPayload } from '../../model/preview.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store, Tables } from '../../store/index.ts';
import type { Preview } from '../../store/previews.ts';
import { createLoop, type Loop } from '../loop.ts';

const POLL_MS = 1000;
/** Previews that are looked at in one turn. */
const MOST = 50;

/**
 * Makes deliveries of the previews whose time is over, or whose pull request is closed. The change of the preview and the delivery are
 * one transaction: each is taken down once, among replicas too.
 */
export function createTeardownLoop(deps: {
  store: Pick<Store, 'previews' | 'lazily'>;
  catalog: Pick<Catalog, 'byName'>;
  onAccepted: () => void;
  clock: Clock;
  logger: Logger;
}): Loop {
  const { store, clock, logger } = deps;

  async function turn(): Promise<boolean> {
    const due = await store.previews.due(clock.now(), MOST);
    for (const preview of due) await look(preview);
    return due.length === MOST;
  }

  async function look(preview: Preview): Promise<void> {
    const { spec, number, reason } = preview;
    const delivery = `${teardownEventName(spec)}:${preview.runId}`;
    const isBegun = await store.lazily((tables) => begin(tables, preview, delivery));
    if (!isBegun) return;
    logger.info({ spec, pull: number, reason, delivery }, 'a preview is taken down');
    deps.onAccepted();
  }

  async function begin(tables: Tables, preview: Preview, delivery: string): Promise<boolean> {
    if (!(await tables.previews.begin(preview, delivery))) return false;
    const { spec, number, reason, fork } = preview;
    const loaded = deps.catalog.byName(spec);
    const repository = loaded?.spec.repository ?? preview.repository;
    const lane = loaded && previewPlace(loaded.spec, number).lane;
    const deployed = lane === undefined ? undefined : await tables.environments.get(lane, spec);
    const sha = deployed?.sha ?? preview.sha;
    const payload: TeardownPayload = { spec, number, reason, repository, sha, fork };
    await tables.inbox.store([
      {
        id: delivery,
        event: teardownEventName(spec),
        action: undefined,
        repository,
        payload: JSON.stringify(payload),
        receivedAt: clock.now(),
      },
    ]);
    return true;
  }

  return createLoop({ name: 'teardowns', turn, pollMs: POLL_MS, logger });
}
