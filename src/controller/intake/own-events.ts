import type { LoadedSpec } from '../../model/deployment-spec.ts';
import type { Event, Json } from '../../model/event.ts';
import { chainOfEvent, type ChainPayload } from '../../model/chain.ts';
import { hookOfEvent, pressIn, scopeOf } from '../../model/hook.ts';
import { asTeardown, teardownOfEvent, type TeardownPayload } from '../../model/preview.ts';
import { scheduleOfEvent, type SchedulePayload } from '../../model/schedule.ts';
import { failed } from '../../model/verdict.ts';
import type { Catalog } from '../../spec/catalog.ts';
import { matchesHookCondition } from '../../spec/match-hook.ts';
import { pressEvent } from '../hooks/press.ts';

/** An event and the specs of its repository. */
export interface Recognized {
  event: Event;
  candidates: LoadedSpec[];
}

/** `digest`: the spec is not as it is now, but as it was when a run was made from it: that snapshot's takes the place of the candidates. */
export interface Own extends Recognized {
  digest?: string | undefined;
}

type OwnCatalog = Pick<Catalog, 'forHook' | 'hook' | 'byName'>;

/** Events that Mainsheet stores itself, each by what its name says: the hook, or the spec. */
const OWN: readonly {
  of: (eventName: string) => string | undefined;
  recognize: (catalog: OwnCatalog, of: string, payload: Json) => Own;
}[] = [
  { of: hookOfEvent, recognize: recognizeHook },
  { of: scheduleOfEvent, recognize: recognizeSchedule },
  { of: chainOfEvent, recognize: recognizeChain },
  { of: teardownOfEvent, recognize: recognizeTeardown },
];

/** What a delivery means that is of Mainsheet itself, or came to a hook; undefined for one of a git server. */
export function recognizeOwn(
  catalog: OwnCatalog,
  eventName: string,
  payload: Json,
): Own | undefined {
  for (const { of, recognize } of OWN) {
    const named = of(eventName);
    if (named !== undefined) return recognize(catalog, named, payload);
  }
  return undefined;
}

/** What a stored request to a hook means. */
export function recognizeHook(
  catalog: Pick<Catalog, 'forHook' | 'hook'>,
  hook: string,
  payload: Json,
): Recognized {
  const configured = catalog.hook(hook)?.hook;
  const press = pressIn(payload);
  if (press !== undefined) return { event: pressEvent(hook, configured, press), candidates: [] };
  const verdict =
    configured === undefined
      ? failed('hook', `there is no hook ${hook} any more`)
      : matchesHookCondition('hook.if', configured.if, payload);
  return {
    event: { kind: 'hook', hook, repository: undefined, verdict, scope: scopeOf(payload) },
    candidates: [...catalog.forHook(hook)],
  };
}

/** What a stored end of a run means to the spec that it starts. */
function recognizeChain(
  catalog: Pick<Catalog, 'byName'>,
  _spec: string,
  payload: Json,
): Recognized {
  const { spec: starts, deployment } = payload as unknown as ChainPayload;
  const { run, spec, state, repository, ref, sha } = deployment;
  const branch = ref.startsWith('refs/heads/') ? ref.slice('refs/heads/'.length) : undefined;
  const after = { run, spec, state };
  const loaded = catalog.byName(starts);
  return {
    event: { kind: 'deployment', repository, starts, after, ref, branch, sha },
    candidates: loaded === undefined ? [] : [loaded],
  };
}

/** What the stored end of a preview means to its spec, or to the one that has deployed it. */
function recognizeTeardown(catalog: Pick<Catalog, 'byName'>, spec: string, payload: Json): Own {
  const { digest, ...told } = payload as unknown as TeardownPayload;
  const loaded = catalog.byName(spec);
  return {
    event: { kind: 'teardown', ...told },
    candidates: loaded === undefined ? [] : [asTeardown(loaded)],
    digest,
  };
}

/** What a stored time of a spec's schedule means. */
function recognizeSchedule(
  catalog: Pick<Catalog, 'byName'>,
  spec: string,
  payload: Json,
): Recognized {
  const { schedule, timezone, due } = payload as unknown as SchedulePayload;
  const event = { kind: 'schedule', repository: undefined, spec, cron: schedule } as const;
  const loaded = catalog.byName(spec);
  return {
    event: { ...event, timeZone: timezone, due: Date.parse(due) },
    candidates: loaded === undefined ? [] : [loaded],
  };
}
