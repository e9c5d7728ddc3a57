import { createFairTurn, inTurns } from '../lib/fair-turn.ts';
import type { DeploymentSpec } from '../model/deployment-spec.ts';
import type { Event } from '../model/event.ts';
import type { Verdict } from '../model/verdict.ts';
import { comparePaths, type PathAnswers } from './match-paths.ts';
import { pathListOf } from './match-push.ts';
import { matchSpec } from './match.ts';

/**
 * `matchSpec` for many specs, in their order. However much there is to compare, it never has the event loop for long: files
 * are read once for all specs, and other work has its turn in between.
 */
export async function matchSpecs(
  specs: readonly DeploymentSpec[],
  event: Event,
  payload: unknown,
): Promise<Verdict[]> {
  const fairTurn = createFairTurn();
  const answers = await answersFor(specs, event, fairTurn);
  const verdicts: Verdict[] = [];
  for (const spec of specs) {
    const turn = fairTurn();
    if (turn !== undefined) await turn;
    verdicts.push(matchSpec(spec, event, payload, answers));
  }
  return verdicts;
}

/** Undefined where no file has to be compared. */
async function answersFor(
  specs: readonly DeploymentSpec[],
  event: Event,
  fairTurn: () => Promise<void> | undefined,
): Promise<PathAnswers | undefined> {
  if (event.kind !== 'push' || !event.changedPaths.complete) return undefined;
  const lists = specs.flatMap(({ on }) => (on.push && pathListOf(on.push)) ?? []);
  if (lists.length === 0) return undefined;
  return await inTurns(comparePaths(lists, event.changedPaths.paths), fairTurn);
}
