import type { Config } from '../../config.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { privatePaths } from '../../steps/private-paths.ts';
import { readableBy } from '../../steps/reach.ts';
import { SETPRIV_HINT } from '../../steps/no-new-privileges.ts';
import type { ShellProgram } from '../../steps/shell.ts';
import { proveStepUser } from '../../steps/step-user.ts';

/**
 * Sees at the start that steps are kept apart from the controller as the configuration wants it, and says in the log what
 * they can reach all the same. Throws MainsheetError `step-user`.
 */
export async function keepStepsApart(deps: {
  config: Pick<Config, 'stepUser' | 'dataDir' | 'secretFiles'>;
  scratchDirectory: string;
  shell: ShellProgram;
  /** As `findSetpriv` finds it. */
  setpriv: string | undefined;
  clock: Clock;
  logger: Logger;
}): Promise<void> {
  const { config, shell, setpriv, clock, logger } = deps;
  const { stepUser } = config;
  if (stepUser === undefined) {
    logger.warn(
      {
        hint: 'start Mainsheet as root and set MAINSHEET_STEP_USER, or deploy only what you trust with them',
      },
      'steps share the user of Mainsheet and can read its secrets and data',
    );
    return;
  }
  // What git and steps write has the same mode everywhere, and no other user may write it before it is handed over.
  process.umask(0o022);
  await proveStepUser({ user: stepUser, shell, setpriv, directory: deps.scratchDirectory, clock });
  if (setpriv === undefined) {
    logger.warn({ hint: SETPRIV_HINT }, 'steps can get other rights through setuid programs');
  }
  const files = await readableBy(stepUser, shell, privatePaths(config));
  if (files.length === 0) logger.info({ user: stepUser.name }, 'steps have a user of their own');
  else {
    logger.warn(
      {
        user: stepUser.name,
        files,
        hint: 'let none but the user of Mainsheet read them: chmod 600',
      },
      'steps can read what should be private',
    );
  }
}
