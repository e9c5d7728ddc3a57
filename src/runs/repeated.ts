import type { Run } from '../model/run.ts';
import type { Tables } from '../store/index.ts';

/** Retries of retries that are followed to the run that they repeat. */
const MOST_RETRIES = 100;

/** The run itself, or of a retry the first of those that it repeats; undefined where that is not known any more. */
export async function repeatedBy(
  { audit, runs }: Pick<Tables, 'audit' | 'runs'>,
  retry: Run,
): Promise<Run | undefined> {
  let run: Run | undefined = retry;
  for (let retries = 0; run?.cause === 'retry'; retries += 1) {
    const made: { subject: string } | undefined =
      retries < MOST_RETRIES ? await audit.ofMade(run) : undefined;
    run = made && (await runs.get(made.subject));
  }
  return run;
}

/** Whether a run takes its spec back: the retry of a rollback is that rollback, tried once more. */
export async function isRollback(
  tables: Pick<Tables, 'audit' | 'runs'>,
  run: Run,
): Promise<boolean> {
  return (await repeatedBy(tables, run))?.cause === 'rollback';
}

/** The first of these runs that takes its spec back. */
export async function firstRollback(
  tables: Pick<Tables, 'audit' | 'runs'>,
  runs: readonly Run[],
): Promise<Run | undefined> {
  for (const run of runs) if (await isRollback(tables, run)) return run;
  return undefined;
}
