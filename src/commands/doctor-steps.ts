import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Config } from '../config.ts';
import { systemClock } from '../lib/clock.ts';
import { findSetpriv, SETPRIV_HINT } from '../steps/no-new-privileges.ts';
import { privatePaths } from '../steps/private-paths.ts';
import { readableBy } from '../steps/reach.ts';
import { findShell } from '../steps/shell.ts';
import { proveReach, proveStepUser } from '../steps/step-user.ts';
import { about, type Check } from './doctor-check.ts';

/** Whether steps are kept apart from what is Mainsheet's own. */
export async function checkStepUser(
  config: Pick<Config, 'stepUser' | 'dataDir' | 'secretFiles'>,
): Promise<Check> {
  const { ok, warn, fail, failed } = about('step user');
  const { stepUser } = config;
  if (stepUser === undefined) {
    return warn(
      'steps share the user of Mainsheet and can read what it can: its environment, its secrets, its data directory',
      'start Mainsheet as root and set MAINSHEET_STEP_USER, or deploy only what you trust with all of that',
    );
  }
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-doctor-'));
  try {
    const shell = await findShell();
    const setpriv = await findSetpriv(shell);
    await proveStepUser({ user: stepUser, shell, setpriv, directory, clock: systemClock });
    // The start makes the data directory private and lets the user pass, whatever it is now.
    await proveReach(stepUser, shell, dirname(config.dataDir));
    const paths = privatePaths(config).filter((path) => path !== config.dataDir);
    const files = await readableBy(stepUser, shell, paths);
    if (files.length === 0 && setpriv === undefined) {
      const detail = `${stepUser.name}: steps run as it, and can get other rights through setuid programs`;
      return warn(detail, SETPRIV_HINT);
    }
    if (files.length === 0) {
      const detail = `${stepUser.name}: steps run as it, and can read nothing of Mainsheet's own`;
      return ok(detail);
    }
    return fail(
      `${stepUser.name} can read ${files.join(', ')}`,
      'take the rights of others from them: chmod o-rwx, and look at their group',
    );
  } catch (error) {
    return failed(error);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
