import type { Clock } from '../../lib/clock.ts';
import { describeError, hintOf, RetryableError, TerminalError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Mirrors } from '../../git/mirrors.ts';
import type { Store } from '../../store/index.ts';

/** What was given up is looked for this long after its delivery came, in milliseconds, as long as GitHub would send it again. */
const LATE_MS = 3 * 86_400_000;

/**
 * What deliveries had named and git did not show, a release's tag for example, may be there by now: then the delivery is
 * processed again. Logs what cannot be looked at.
 */
export type ReopenGivenUp = (signal: AbortSignal) => Promise<void>;

export function createReopenGivenUp(deps: {
  store: Pick<Store, 'inbox'>;
  mirrors: Pick<Mirrors, 'standing' | 'resolveTag'>;
  clock: Clock;
  logger: Logger;
}): ReopenGivenUp {
  const { store, mirrors, clock, logger } = deps;

  async function isTagThere(repository: string, ref: string, signal: AbortSignal) {
    try {
      await mirrors.resolveTag(repository, ref, { signal });
      return true;
    } catch (error) {
      // There may also be a tag without a commit, of a file for example.
      if (error instanceof TerminalError) return false;
      throw error;
    }
  }

  return async (signal) => {
    /** Those that git could not be asked of: each more question might take as long. */
    const away = new Set<string>();
    for (const { id, repository, ref, sha } of await store.inbox.givenUp(clock.now() - LATE_MS)) {
      if (signal.aborted) return;
      if (away.has(repository)) continue;
      try {
        const isThere =
          sha === undefined
            ? await isTagThere(repository, ref, signal)
            : (await mirrors.standing(repository, ref, sha, { signal })).reached;
        if (isThere !== true) continue;
        await store.inbox.reopen(id);
        logger.info({ delivery: id, repository, ref }, 'what a delivery names is there by now');
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof RetryableError) away.add(repository);
        logger.warn(
          { delivery: id, repository, ref, error: describeError(error), hint: hintOf(error) },
          'ref cannot be looked at',
        );
      }
    }
  };
}
