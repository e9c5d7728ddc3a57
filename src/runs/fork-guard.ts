import { MainsheetError } from '../lib/errors.ts';
import type { DeploymentSpec } from '../model/deployment-spec.ts';
import { pullOf } from '../model/preview.ts';
import type { Run } from '../model/run.ts';
import type { ExecuteDeps } from './execute.ts';

/**
 * The last look before a fork's code runs, whatever has changed since its run was made. Throws MainsheetError `fork-refused`. A
 * pull request of which nothing is known any more counts as a fork's.
 */
export async function guardFork(
  { store, stepUser }: Pick<ExecuteDeps, 'store' | 'stepUser'>,
  run: Run,
  { secrets }: Pick<DeploymentSpec, 'secrets'>,
): Promise<void> {
  const number = pullOf(run);
  if (number === undefined || (await store.previews.get({ ...run, number }))?.fork === false)
    return;
  if (secrets.length > 0) {
    throw new MainsheetError('fork-refused', "a fork's code never runs with secrets");
  }
  if (stepUser === undefined) {
    throw new MainsheetError(
      'fork-refused',
      "a fork's code runs only where steps have a user of their own",
      { hint: 'set MAINSHEET_STEP_USER' },
    );
  }
}
