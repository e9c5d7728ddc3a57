import type { GitHub } from '../github/client.ts';
import { sameRepository } from '../model/event.ts';
import { about, type Check } from './doctor-check.ts';

/** GitHub is asked about so many repositories at most. */
const MOST = 50;

/** Which repositories are called otherwise on GitHub than where they are named. What GitHub does not tell is left out. */
export async function checkNames(
  github: Pick<GitHub, 'currentName'>,
  repositories: ReadonlySet<string>,
): Promise<Check[]> {
  const checks: Check[] = [];
  for (const repository of [...repositories].slice(0, MOST)) {
    const name = await github.currentName(repository).catch(() => repository);
    if (sameRepository(name, repository)) continue;
    checks.push(
      about('repository').warn(
        `${repository} was renamed: it is ${name} now, which Mainsheet follows`,
        `write ${name} in the specs, before another repository gets the old name`,
      ),
    );
  }
  return checks;
}
