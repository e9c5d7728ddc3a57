import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import {
  CHAIN_STATES,
  chainEventName,
  chainsOf,
  followersOf,
  UNREAD,
  type ChainPayload,
} from '../../model/chain.ts';
import type { Json } from '../../model/event.ts';
import type { Run } from '../../model/run.ts';
import { firstRollback } from '../../runs/repeated.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Chain } from '../../store/chains.ts';
import type { Store, Tables } from '../../store/index.ts';
import { createLoop, type Loop } from '../loop.ts';
import { ownDelivery } from '../own-delivery.ts';

const POLL_MS = 1000;
/** Chains that are looked at in one turn. */
const MOST = 50;

/**
 * Makes deliveries of the runs that start other specs, when their time has come and what they deployed is healthy. The row's end and
 * the delivery are one transaction: each starts once, among replicas too.
 */
export function createChainLoop(deps: {
  store: Pick<Store, 'chains' | 'lazily'>;
  catalog: Pick<Catalog, 'current'>;
  clock: Clock;
  logger: Logger;
}): Loop {
  const { store, clock, logger } = deps;

  async function turn(): Promise<boolean> {
    // Nothing can be said of what was to be started.
    if (deps.catalog.current().loadedAt === 0) return false;
    const due = await store.chains.due(clock.now(), MOST);
    for (const chain of due) await look(chain);
    return due.length === MOST;
  }

  async function look(chain: Chain): Promise<void> {
    const said = await store.lazily((tables) =>
      chain.spec === UNREAD ? read(tables, chain) : start(tables, chain, clock.now()),
    );
    if (said === undefined) return;
    const { run, spec } = chain;
    logger.info({ run, spec, ...said }, 'a run has started another spec, or was not to');
  }

  /** The run has ended before the specs were read: what it starts is known by now. */
  async function read(tables: Tables, chain: Chain): Promise<undefined> {
    const run = await tables.runs.get(chain.run);
    const followers = run === undefined ? [] : followersOf(run.spec, deps.catalog.current().specs);
    await tables.chains.resolve(
      chain,
      run === undefined ? [] : chainsOf(run, followers, chain.dueAt),
    );
  }

  return createLoop({ name: 'chains', turn, pollMs: POLL_MS, logger });
}

async function start(
  tables: Tables,
  chain: Chain,
  now: number,
): Promise<{ delivery: string } | { skipped: string } | undefined> {
  const run = await tables.runs.get(chain.run);
  const skipped = run === undefined ? 'its run is gone' : await whyUnwell(tables, run);
  if (skipped !== undefined || run === undefined) {
    const reason = skipped ?? '';
    return (await tables.chains.end(chain, { state: 'skipped', reason }))
      ? { skipped: reason }
      : undefined;
  }
  const event = chainEventName(chain.spec);
  const delivery = `${event}:${run.id}`;
  if (!(await tables.chains.end(chain, { state: 'started', delivery }))) return undefined;
  const own = { id: delivery, event, repository: run.repository };
  await tables.inbox.store([ownDelivery(own, await payloadOf(tables, chain, run), now)]);
  return { delivery };
}

/** Why what a run has deployed is not what should go further. Only of what was deployed. */
async function whyUnwell(tables: Tables, run: Run): Promise<string | undefined> {
  if (run.state !== 'succeeded') return undefined;
  const live = await tables.environments.get(run);
  if (live !== undefined && live.run !== run.id) {
    return `run ${live.run} has deployed ${live.sha.slice(0, 7)} since`;
  }
  const { spec, lane } = run;
  const back = await firstRollback(tables, await tables.runs.activeAt(run));
  if (back !== undefined) return `run ${back.id} rolls it back`;
  const newest = { limit: 1, before: undefined };
  const { items } = await tables.runs.list(newest, { spec, lane, state: 'failed' });
  const failed = items.find(({ sequence }) => sequence > run.sequence);
  return failed && `run ${failed.id} has failed since to deploy ${failed.sha.slice(0, 7)}`;
}

/** With what the first delivery tells of the commit and of who sent it. */
async function payloadOf(tables: Tables, { spec }: Chain, run: Run): Promise<object> {
  const { id, environment, repository, ref, sha } = run;
  const state = CHAIN_STATES.find((one) => one === run.state) ?? 'succeeded';
  const deployment: ChainPayload['deployment'] = {
    run: id,
    spec: run.spec,
    environment,
    state,
    repository,
    ref,
    sha,
  };
  const first = JSON.parse((await tables.inbox.get(run.delivery))?.payload || '{}') as {
    [key: string]: Json;
  };
  const told = ['head_commit', 'sender', 'pusher'].filter((key) => Object.hasOwn(first, key));
  return {
    ...Object.fromEntries(told.map((key) => [key, first[key] ?? null])),
    spec,
    deployment,
  };
}
