import { judgeGates, type Gate } from '../model/gate.ts';
import type { Run } from '../model/run.ts';
import { isProtection } from '../model/protection.ts';
import type { Tables } from '../store/index.ts';

/** More specs than share an environment. */
const MOST = 200;

/**
 * Whether GitHub is to hear of it now. Of several specs with the same environment each has a run, and GitHub takes one answer: the first
 * refusal, or the last consent.
 */
export async function isLastWord(
  { runs }: Pick<Tables, 'runs'>,
  run: Run,
  isNew: boolean,
): Promise<boolean> {
  const others = await siblings(runs, run);
  if (isNew) return others.length === 0;
  return run.state === 'succeeded'
    ? others.every(({ state }) => state === 'succeeded')
    : others.every(({ state }) => state === 'blocked' || state === 'succeeded');
}

/** The other runs of a job that waits, which need no answer any more when one has refused. */
export async function alsoRefused({ runs }: Pick<Tables, 'runs'>, run: Run): Promise<Run[]> {
  if (!isProtection(run) || run.state === 'succeeded') return [];
  return (await siblings(runs, run)).filter(({ state }) => state === 'blocked');
}

/** Why a job may deploy: what has opened each of its gates. */
export async function consentOf(
  tables: Pick<Tables, 'gates'>,
  run: Run,
  gates: readonly Gate[],
  now: number,
): Promise<string> {
  const answers = await tables.gates.answersTo(run.id);
  const verdict = judgeGates(gates, { answers, since: run.createdAt, now });
  return `The job of Actions may deploy. ${verdict.gates.map(({ detail }) => detail).join('; ')}`;
}

/** Each other spec's newest run for the same job. */
async function siblings(runs: Tables['runs'], run: Run): Promise<Run[]> {
  const { items } = await runs.list({ limit: MOST, before: undefined }, { lane: run.lane });
  const newest = new Map<string, Run>();
  for (const one of items) if (!newest.has(one.spec)) newest.set(one.spec, one);
  newest.delete(run.spec);
  return [...newest.values()];
}
