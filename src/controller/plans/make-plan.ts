import type { Clock } from '../../lib/clock.ts';
import type { StepLimits } from '../../lib/step-limits.ts';
import type { Mirrors } from '../../git/mirrors.ts';
import { isFrom, type PushEvent } from '../../model/event.ts';
import type { Catalog } from '../../spec/catalog.ts';
import { pushRefMatches } from '../../spec/match-push.ts';
import type { PulledEvent } from '../../store/plans.ts';
import { judgedBy, type Judged } from '../intake/judge.ts';
import type { Backtest, BacktestResult } from '../operator/backtest.ts';
import { pushPayload } from '../push-payload.ts';
import { readSpecChange, type SpecChange } from './spec-change.ts';
import { changesSpecs, type SpecHome } from './wanted.ts';

/** What merging a pull request would do, as things are now. */
export interface Plan {
  pull: PulledEvent;
  /** The commit that the base branch is at. */
  base: string;
  /** What the specs in use say of the push that merging makes. */
  verdicts: Judged['verdicts'];
  /** Undefined when no spec changes. */
  change: SpecChange | undefined;
  /**
   * What the changed specs would have made of what came before; `too long` when that takes too much time, `fork` when a stranger may
   * have written them: each condition would tell them something of payloads that they may not see (G12).
   */
  backtest: BacktestResult | 'too long' | 'fork' | undefined;
}

/**
 * Judges the push that merging would make by the same code that judges pushes, and changed specs by the deliveries of thirty days.
 * Nothing of the pull request is checked out or run. Undefined when nothing is to be said. Throws RetryableError, and TerminalError
 * as `mergePreview` and `readSpecChange`.
 */
export type MakePlan = (pull: PulledEvent, signal: AbortSignal) => Promise<Plan | undefined>;

export const BACKTEST_DAYS = 30;
const DAY_MS = 24 * 60 * 60_000;
const LONGEST_BACKTEST_MS = 60_000;

export function createMakePlan(deps: {
  catalog: Pick<Catalog, 'current' | 'hooks'>;
  mirrors: Pick<Mirrors, 'mergePreview' | 'readTexts' | 'commit'>;
  backtest: Backtest;
  home: SpecHome | undefined;
  stepLimits: StepLimits;
  clock: Clock;
}): MakePlan {
  const { catalog, mirrors, home, clock } = deps;

  return async (pull, signal) => {
    const { repository, base: branch, head } = pull;
    const ref = `refs/heads/${branch}`;
    const planned = catalog
      .current()
      .specs.filter(({ spec }) => spec.plan && isFrom(pull, spec.repository))
      .filter(
        ({ spec: { on } }) =>
          on.push && pushRefMatches(on.push, { ref, branch, tag: undefined }).matched,
      );
    const isHome = changesSpecs(pull, home);
    if (planned.length === 0 && !isHome) return undefined;
    const { base, paths } = await mirrors.mergePreview(repository, ref, head, { signal });
    const change = isHome
      ? await readSpecChange(deps, home.path, paths, (files, maxBytes) =>
          mirrors.readTexts(repository, head, files, maxBytes, { signal }),
        )
      : undefined;
    if (planned.length === 0 && change === undefined) return undefined;
    const event: PushEvent = {
      kind: 'push',
      repository,
      ref,
      branch,
      tag: undefined,
      before: base,
      sha: head,
      created: false,
      deleted: false,
      forced: false,
      changedPaths: { complete: true, paths },
    };
    const facts = await mirrors.commit(repository, head, { signal });
    const message = messageOf(pull);
    const payload = pushPayload(
      { repository, ref, before: base, after: head, since: 0 },
      { ...facts, message },
      false,
    );
    const formerly = pull.formerly ?? [];
    const { verdicts } = await judgedBy(
      { event: formerly.length === 0 ? event : { ...event, formerly }, candidates: planned },
      payload,
    );
    return { pull, base, verdicts, change, backtest: await tryOut(pull, change, signal) };
  };

  async function tryOut(
    pull: PulledEvent,
    change: SpecChange | undefined,
    signal: AbortSignal,
  ): Promise<Plan['backtest']> {
    if (change === undefined || change.problems.length > 0 || change.changed.length === 0) {
      return undefined;
    }
    if (pull.headRepository === undefined || !isFrom(pull, pull.headRepository)) return 'fork';
    const { changed, hooks } = change;
    const tooLong = AbortSignal.timeout(LONGEST_BACKTEST_MS);
    try {
      return await deps.backtest(
        changed.flatMap(({ now }) => now ?? []),
        clock.now() - BACKTEST_DAYS * DAY_MS,
        AbortSignal.any([signal, tooLong]),
        { hooks, only: new Set(changed.map(({ name }) => name)) },
      );
    } catch (error) {
      if (tooLong.aborted && !signal.aborted) return 'too long';
      throw error;
    }
  }
}

/** As GitHub writes it for a merge, which the person who merges may change. */
function messageOf({ repository, number, headBranch, title }: PulledEvent): string {
  const [owner = ''] = repository.split('/');
  return `Merge pull request #${number} from ${owner}/${headBranch}\n\n${title}`;
}
