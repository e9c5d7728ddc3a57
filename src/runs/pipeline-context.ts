import type { Broadcast } from '../lib/broadcast.ts';
import type { Clock } from '../lib/clock.ts';
import type { Checkouts } from '../git/checkouts.ts';
import type { DeploymentSpec, StepSpec } from '../model/deployment-spec.ts';
import type { Json } from '../model/event.ts';
import type { News } from '../model/news.ts';
import type { Run, Step } from '../model/run.ts';
import type { StepKind } from '../steps/contract.ts';
import type { Store } from '../store/index.ts';
import type { RunLog } from './run-log.ts';

export interface PipelineDeps {
  store: Store;
  checkouts: Checkouts;
  steps: StepKind<StepSpec>;
  /** What steps inherit of the controller's environment: PATH, HOME, LANG, TZ. */
  inherited: Record<string, string | undefined>;
  clock: Clock;
  news: Broadcast<News>;
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
  signal: AbortSignal;
}

/** Writes a step's row and tells who listens. */
export async function saveStep(
  deps: Pick<PipelineDeps, 'store' | 'news'>,
  run: Run,
  step: Step,
): Promise<void> {
  await deps.store.steps.update(run.id, step);
  deps.news.publish({ kind: 'step', run: run.id, step: step.index, state: step.state });
}
