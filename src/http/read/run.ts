import type { Gates, GateView } from '../../controller/operator/gates.ts';
import type { Delivery } from '../../model/delivery.ts';
import { isHeldBy, type SeenPause } from '../../model/pause.ts';
import type { Verdict } from '../../model/verdict.ts';
import type { Run, Step } from '../../model/run.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Chain } from '../../store/chains.ts';
import type { AuditEntry } from '../../store/audit.ts';
import type { BatchView } from '../../store/batches.ts';
import type { Store } from '../../store/index.ts';
import type { OutboxEntry } from '../../store/outbox.ts';
import type { Viewer } from '../auth/viewer.ts';
import type { Commits, CommitTitle } from './commits.ts';
import { usualDuration } from './overview.ts';
import { seenPauses } from './held.ts';
import type { RecentRuns } from './recent-runs.ts';

const MOST_AUDITED = 50;

/** Everything that is known of a run. */
export interface RunView extends ChainView {
  run: Run;
  steps: Step[];
  commit: CommitTitle | undefined;
  /** What was deployed before it, with another revision. */
  before: Run | undefined;
  /** Whether a rollback from it would deploy something. */
  canGoBack: boolean;
  beforeCommit: CommitTitle | undefined;
  /** What is deployed there now. */
  deployedRun: string | undefined;
  delivery: Delivery | undefined;
  verdict: Verdict | undefined;
  callbacks: OutboxEntry[];
  /** What a person did to make it; undefined for a run that an event made. */
  made: AuditEntry | undefined;
  audit: AuditEntry[];
  usualMs: number | undefined;
  gates: GateView[];
  /** What keeps its spec or its lane as it is. */
  pause: SeenPause | undefined;
  batch: BatchView | undefined;
}

/** What has started a run, and what it starts. */
export interface ChainView {
  startedBy: Run | undefined;
  starts: StartedView[];
}

/** A spec that a run starts, and the run that came of it. */
interface StartedView {
  chain: Chain;
  run: Run | undefined;
}

/** Undefined for a run that is not there, or that the viewer may not see. */
export async function readRun(
  deps: {
    store: Store;
    catalog: Pick<Catalog, 'current'>;
    commits: Commits;
    recentRuns: RecentRuns;
    gates: Pick<Gates, 'view'>;
  },
  viewer: Viewer,
  id: string,
): Promise<RunView | undefined> {
  const { store, commits } = deps;
  const run = await store.runs.get(id);
  if (run === undefined || !viewer.canSee(run.repository)) return undefined;
  const [steps, before, standing, delivered, callbacks, audit, deployed, recent, pauses] =
    await Promise.all([
      store.steps.ofRun(id),
      store.runs.lastSuccessBefore(run),
      store.runs.standingBefore(run),
      store.inbox.get(run.delivery),
      store.outbox.ofRun(id),
      store.audit.ofSubject(id, MOST_AUDITED),
      store.environments.get(run),
      deps.recentRuns.of(run.spec),
      seenPauses(deps, viewer),
    ]);
  const delivery = delivered?.delivery;
  return {
    run,
    steps,
    commit: await commits(run),
    before,
    canGoBack: standing.length > 0,
    beforeCommit: before && (await commits(before)),
    deployedRun: deployed?.run,
    delivery,
    verdict: delivery?.outcome?.specs.find(({ spec }) => spec === run.spec)?.verdict,
    callbacks,
    made:
      run.cause === 'event' && run.event !== 'deploy' ? undefined : await store.audit.ofMade(run),
    audit,
    usualMs: usualDuration(recent),
    gates: await deps.gates.view(run),
    ...(await readChain(store, run)),
    pause: pauses.find((pause) => isHeldBy(run, pause)),
    batch: run.batch === undefined ? undefined : await store.batches.view(run.batch),
  };
}

/** What has started a run, and what it starts: all in the repository of the run. */
export async function readChain(
  { chains, runs }: Pick<Store, 'chains' | 'runs'>,
  run: Run,
): Promise<ChainView> {
  const [from, after] = await Promise.all([
    chains.ofDelivery(run.delivery),
    chains.ofRuns([run.id]),
  ]);
  const starts = after.map(async (chain): Promise<StartedView> => {
    if (chain.delivery === undefined) return { chain, run: undefined };
    const page = { limit: 1, before: undefined };
    const { items } = await runs.list(page, { delivery: chain.delivery });
    return { chain, run: items[0] };
  });
  return { startedBy: from && (await runs.get(from.run)), starts: await Promise.all(starts) };
}
