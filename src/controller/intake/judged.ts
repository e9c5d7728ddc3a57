import type { Delivery, DeliveryOutcome } from '../../model/delivery.ts';
import type { LoadedSpec } from '../../model/deployment-spec.ts';
import type { Event, ProtectionEvent } from '../../model/event.ts';
import { PROTECTION } from '../../model/protection.ts';
import { hasEnded, type Run } from '../../model/run.ts';
import { allOf, held, type Verdict } from '../../model/verdict.ts';
import { ROLLBACK } from '../../spec/match-hook.ts';

/** One spec's answer to an event. */
interface SpecVerdict {
  loaded: LoadedSpec;
  verdict: Verdict;
  /** Where it gathers events: the events with the same one go together. */
  batchKey?: string | undefined;
  /** Where it rolls the spec back: why, in the sender's words. */
  rollback?: string | undefined;
}

/** An event with every answer to it. */
export interface Judged {
  event: Event;
  verdicts: SpecVerdict[];
}

/** Tells the rest of the process what became of a delivery, and of every run that is another than before. */
export type Announce = (
  delivery: Delivery,
  outcome: DeliveryOutcome,
  changed: readonly Run[],
) => void;

/** The conditions of a spec that matched, and yet has no run. */
const REFUSED: ReadonlySet<string> = new Set(['preview', ROLLBACK]);

/**
 * What became of a delivery, in words and by spec; `made` has the runs by spec, `batched` the places in batches. Pure.
 */
export function outcomeOf(
  { event, verdicts }: Judged,
  made: ReadonlyMap<string, Run>,
  batched: ReadonlyMap<string, string> = new Map(),
  refused: ReadonlyMap<string, Verdict> = new Map(),
): DeliveryOutcome {
  const answers = verdicts.map(({ loaded, verdict }) => ({
    loaded,
    verdict: withRefusal(verdict, refused.get(loaded.spec.name)),
  }));
  return {
    summary: summarize(event, answers, made),
    ...(event.kind === 'other' && event.isUnreadable ? { isUnreadable: true } : {}),
    specs: answers.map(({ loaded, verdict }) => ({
      spec: loaded.spec.name,
      verdict: withBatch(verdict, batched.get(loaded.spec.name)),
      run: made.get(loaded.spec.name)?.id,
    })),
  };
}

function withRefusal(verdict: Verdict, refusal: Verdict | undefined): Verdict {
  return refusal === undefined ? verdict : allOf([verdict, refusal]);
}

function withBatch(verdict: Verdict, place: string | undefined): Verdict {
  return place === undefined ? verdict : allOf([verdict, held('batch', place)]);
}

function summarize(
  event: Event,
  verdicts: readonly SpecVerdict[],
  made: ReadonlyMap<string, Run>,
): string {
  if (event.kind === PROTECTION) return answered(event, verdicts, [...made.values()]);
  const active = [...made.values()].filter((run) => !hasEnded(run.state));
  const waiting = active.filter((run) => run.state === 'blocked');
  const going = active.filter((run) => run.state !== 'blocked');
  const back = going.filter(({ cause }) => cause === 'rollback');
  const leaving = going.filter((run) => run.event === 'teardown');
  const deploying = going.filter((run) => run.cause !== 'rollback' && run.event !== 'teardown');
  if (active.length > 0) {
    return [
      ...(deploying.length > 0 ? [`Deploying ${deploying.map((run) => run.spec).join(', ')}`] : []),
      ...leaving.map((run) => `Taking down ${run.environment}`),
      ...back.map(({ spec, sha }) => `Rolling back ${spec} to ${sha.slice(0, 7)}`),
      ...waiting.map(
        (run) =>
          `Not yet ${run.event === 'teardown' ? 'taken down' : 'deployed'}: ${run.spec} waits. ${run.reason}`,
      ),
    ].join('; ');
  }
  const [late] = made.values();
  if (late !== undefined) return `Not deployed: ${late.reason}`;
  if (event.kind === 'ping') return 'GitHub said hello: the webhook works';
  if (event.kind === 'installation') return `An installation of the App: ${event.change}`;
  if (event.kind === 'other') return `Not deployed: ${event.reason}`;
  if (event.kind === 'message-press') return 'Not done again: a press counts once';
  if (verdicts.length === 0) {
    if (event.kind === 'deployment')
      return `Not deployed: there is no spec ${event.starts} any more`;
    if (event.kind === 'teardown') return `Not taken down: there is no spec ${event.spec} any more`;
    if (event.kind === 'schedule') return `Not deployed: there is no spec ${event.spec} any more`;
    const source = event.kind === 'hook' ? `the hook ${event.hook}` : event.repository;
    return `Not deployed: no deployment spec names ${source}`;
  }
  if (event.kind === 'pull_request' && event.isClosed) {
    return `Pull request #${event.number} is closed: its previews are taken down`;
  }
  const against = verdicts
    .flatMap(({ verdict }) => verdict.reasons)
    .filter((reason) => !reason.held);
  // Of the one spec that was meant; else of one that such an event may start.
  const first =
    against.find(({ condition }) => REFUSED.has(condition)) ??
    against.find(({ condition }) => condition !== 'on') ??
    against[0];
  if (first?.condition === ROLLBACK) return `Not rolled back: ${first.detail}`;
  return `Not deployed: ${first?.detail ?? 'no deployment spec matched'}`;
}

/** What a job of Actions is told. */
function answered(
  event: ProtectionEvent,
  verdicts: readonly SpecVerdict[],
  made: readonly Run[],
): string {
  if (made.length === 0) {
    const failed = verdicts.flatMap(({ verdict }) => verdict.reasons).find(({ held }) => !held);
    const why = failed?.detail ?? `no deployment spec names ${event.repository}`;
    return `Not answered, so that the job of Actions goes on waiting: ${why}`;
  }
  const waiting = made.filter(({ state }) => state !== 'succeeded');
  return waiting.length === 0
    ? made.map(({ spec, reason }) => `${spec}: ${reason}`).join('; ')
    : waiting
        .map(({ spec, reason }) => `The job of Actions waits for ${spec}. ${reason}`)
        .join('; ');
}
