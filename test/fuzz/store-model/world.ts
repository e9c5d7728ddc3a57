import { createOperate, type Operate } from '../../../src/controller/operator/operate.ts';
import { createBroadcast } from '../../../src/lib/broadcast.ts';
import type { LoadedSpec } from '../../../src/model/deployment-spec.ts';
import type { News } from '../../../src/model/news.ts';
import { createTransitions, type Transitions } from '../../../src/runs/transition.ts';
import type { Store } from '../../../src/store/index.ts';
import { sampleLoaded } from '../../runs/samples.ts';

/** The real thing: a store with everything that changes it, and a clock that moves when it is told to. */
export interface World {
  store: Store;
  transitions: Transitions;
  operate: Operate;
  clock: { time: number };
}

/** Two specs that share a lane, of which one cancels what runs, and one that gives every run its turn. */
export const SPECS: LoadedSpec[] = [
  specOf('storefront', 'acme/storefront', { lane: 'main', queue: 'newest', cancelRunning: false }),
  specOf('hotfix', 'acme/storefront', { lane: 'main', queue: 'newest', cancelRunning: true }),
  specOf('docs', 'acme/docs', { lane: 'docs', queue: 'all', cancelRunning: false }),
];
export const REPOSITORIES = ['acme/storefront', 'acme/docs'];

export function createWorld(store: Store, time: number): World {
  const clock = { time };
  const ticking = {
    now: () => clock.time,
    elapsed: () => clock.time,
    sleep: async () => undefined,
  };
  const news = createBroadcast<News>();
  const reader = async (_tables: unknown, digest: string) => {
    const loaded = SPECS.find((one) => one.digest === digest);
    if (loaded === undefined) throw new Error(`no spec ${digest}`);
    return loaded.spec;
  };
  const transitions = createTransitions({
    store,
    specOf: reader,
    clock: ticking,
    news,
    publicUrl: undefined,
    feedback: 'app',
  });
  const operate = createOperate({
    store,
    catalog: { byName: () => undefined },
    transitions,
    specOf: reader,
    clock: ticking,
  });
  return { store, transitions, operate, clock };
}

function specOf(
  name: string,
  repository: string,
  concurrency: LoadedSpec['spec']['concurrency'],
): LoadedSpec {
  return {
    ...sampleLoaded({ name, repository, concurrency }),
    digest: name,
    text: `name: ${name}\n`,
  };
}
