import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { DeploymentSpec } from '../../model/deployment-spec.ts';
import { sameRepository } from '../../model/event.ts';
import { previewPlace, teardownEventName, type TeardownPayload } from '../../model/preview.ts';
import type { Run } from '../../model/run.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store, Tables } from '../../store/index.ts';
import type { Preview } from '../../store/previews.ts';
import { createLoop, type Loop } from '../loop.ts';
import { ownDelivery } from '../own-delivery.ts';

const POLL_MS = 1000;
/** Previews that are looked at in one turn. */
const MOST = 50;
/** Between two looks for previews whose spec is gone. */
const LOOK_GONE_MS = 60_000;
/** Another replica may have read a new spec, and deploy with it, before this one does, or one that was renamed may come back. */
const GONE_MS = 60 * 60_000;

/**
 * Makes deliveries of the previews whose time is over, whose pull request is closed, or whose spec is gone for an hour. The change of
 * the preview and the delivery are one transaction: each is taken down once, among replicas too. What the present spec would not take
 * down, because it deploys elsewhere by now, the spec does that has deployed it.
 */
export function createTeardownLoop(deps: {
  store: Pick<Store, 'previews' | 'lazily'>;
  catalog: Pick<Catalog, 'byName' | 'current'>;
  clock: Clock;
  logger: Logger;
}): Loop {
  const { store, clock, logger } = deps;

  let lookedAt = 0;
  /** Since when a spec that has previews is not there. */
  const goneSince = new Map<string, number>();

  async function turn(): Promise<boolean> {
    const now = clock.now();
    if (now - lookedAt >= LOOK_GONE_MS) {
      lookedAt = now;
      for (const preview of await gone(now)) await look(preview);
    }
    const due = await store.previews.due(now, MOST);
    for (const preview of due) await look(preview);
    return due.length === MOST;
  }

  /** While the files of specs are not valid, it is not known which are gone. */
  async function gone(now: number): Promise<Preview[]> {
    if (deps.catalog.current().stale) return [];
    const live = await store.previews.liveSince(now);
    const orphans = live.filter(({ spec }) => deps.catalog.byName(spec) === undefined);
    const specs = new Set(orphans.map(({ spec }) => spec));
    for (const spec of goneSince.keys()) if (!specs.has(spec)) goneSince.delete(spec);
    for (const spec of specs) goneSince.set(spec, goneSince.get(spec) ?? now);
    const isOver = ({ spec, notedAt }: Preview) =>
      Math.max(notedAt, goneSince.get(spec) ?? now) <= now - GONE_MS;
    return orphans.filter(isOver).map((preview) => ({ ...preview, reason: 'its spec is gone' }));
  }

  async function look(preview: Preview): Promise<void> {
    const { spec, number, reason } = preview;
    const delivery = `${teardownEventName(spec)}:${preview.runId}`;
    const isBegun = await store.lazily((tables) => begin(tables, preview, delivery));
    if (!isBegun) return;
    logger.info({ spec, pull: number, reason, delivery }, 'a preview is taken down');
  }

  async function begin(tables: Tables, preview: Preview, delivery: string): Promise<boolean> {
    if (!(await tables.previews.begin(preview, delivery))) return false;
    const { spec, number, reason, fork } = preview;
    const run = await tables.runs.get(preview.runId);
    const loaded = deps.catalog.byName(spec);
    const isSame = loaded !== undefined && takesDown(loaded.spec, preview, run);
    const repository = (isSame ? loaded.spec : (run ?? preview)).repository;
    const place = isSame ? previewPlace(loaded.spec, number) : run;
    const deployed = place && (await tables.environments.get({ ...place, spec }));
    const sha = deployed?.sha ?? preview.sha;
    const payload: TeardownPayload = {
      spec,
      number,
      reason,
      repository,
      sha,
      fork,
      ...(isSame || run === undefined ? {} : { digest: run.specDigest }),
    };
    const own = { id: delivery, event: teardownEventName(spec), repository };
    await tables.inbox.store([ownDelivery(own, payload, clock.now())]);
    return true;
  }

  return createLoop({ name: 'teardowns', turn, pollMs: POLL_MS, logger });
}

/** Whether a spec, as it is now, would take down what `run` has deployed, and nothing else. */
function takesDown(spec: DeploymentSpec, preview: Preview, run: Run | undefined): boolean {
  const { number, repository, fork } = preview;
  if (spec.on.pullRequest === undefined || !sameRepository(spec.repository, repository))
    return false;
  if (fork && spec.secrets.length > 0) return false;
  const place = previewPlace(spec, number);
  return run === undefined || (run.environment === place.environment && run.lane === place.lane);
}
