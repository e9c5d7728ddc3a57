import type { Broadcast } from '../lib/broadcast.ts';
import type { Clock } from '../lib/clock.ts';
import { noFailpoint, type Failpoint } from '../lib/failpoint.ts';
import type { SystemUser } from '../lib/hand-over.ts';
import { retry } from '../lib/retry.ts';
import type { Seal } from '../lib/seal.ts';
import type { Checkouts } from '../git/checkouts.ts';
import type { DeploymentSpec, StepSpec } from '../model/deployment-spec.ts';
import type { Json } from '../model/event.ts';
import type { News } from '../model/news.ts';
import type { Run, Step } from '../model/run.ts';
import type { DoStep } from '../steps/contract.ts';
import type { Store } from '../store/index.ts';
import type { Ordering } from './ordering/ordering.ts';
import { LostRunError } from './transition.ts';
import type { RunLog } from './run-log.ts';

export interface PipelineDeps {
  store: Store;
  checkouts: Checkouts;
  ordering: Pick<Ordering, 'whyNotToDeploy'>;
  steps: DoStep<StepSpec>;
  /** As whom steps run; undefined: as this process's user. */
  stepUser?: SystemUser | undefined;
  /** For outputs in which a secret is. */
  seal: Seal;
  /** What steps inherit of the controller's environment: PATH, HOME, LANG, TZ. */
  inherited: Record<string, string | undefined>;
  clock: Clock;
  news: Broadcast<News>;
  failpoint?: Failpoint;
}

/** A run with everything that its steps are made from. */
export interface Pipeline {
  run: Run;
  spec: DeploymentSpec;
  secrets: Record<string, string>;
  payload: Json;
  /** A directory for the run's own files, outside every checkout. */
  scratch: string;
  log: RunLog;
  /** A text without the run's secrets. */
  mask: (text: string) => string;
  /** The same for a text that may be long: other work has its turn meanwhile. */
  maskLong: (text: string) => Promise<string>;
  signal: AbortSignal;
}

/** How long a run waits for a database that is away, in milliseconds, before it is handed over. */
export const STORE_TIMEOUT_MS = 20_000;

/** Writes a step's row and tells who listens. Throws LostRunError when the run is another's by now. */
export async function saveStep(
  deps: Pick<PipelineDeps, 'store' | 'news' | 'clock' | 'failpoint'>,
  run: Run,
  step: Step,
): Promise<void> {
  const { failpoint = noFailpoint } = deps;
  failpoint('step.before');
  await retry({ clock: deps.clock, timeoutMs: STORE_TIMEOUT_MS }, async () => {
    stillOurs(run, await deps.store.steps.update(run.id, step, run.attempts));
    // What it does is seen outside: a power cut must not make anyone forget that it began.
    if (step.state === 'running') await deps.store.flushed();
  });
  failpoint('step.after');
  deps.news.publish({ kind: 'step', run: run.id, step: step.index, state: step.state });
}

/** Throws LostRunError unless what was to be written in a run's name was written. */
export function stillOurs({ id, attempts }: Pick<Run, 'id' | 'attempts'>, written: boolean): void {
  if (written) return;
  throw new LostRunError('run-lost', `attempt ${attempts} of run ${id} is not its latest any more`);
}
