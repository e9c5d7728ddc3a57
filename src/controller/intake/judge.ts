import { repositoryIdOf } from '../../sources/github/describe-delivery.ts';
import { github } from '../../sources/github/source.ts';
import type { Clock } from '../../lib/clock.ts';
import type { LoadedSpec } from '../../model/deployment-spec.ts';
import { sameRepository, type Event, type Json } from '../../model/event.ts';
import type { Catalog } from '../../spec/catalog.ts';
import { hookOfEvent } from '../../model/hook.ts';
import { failed } from '../../model/verdict.ts';
import { matchesHookCondition } from '../../spec/match-hook.ts';
import { matchSpecs } from '../../spec/match-specs.ts';
import type { Repositories } from '../../store/repositories.ts';
import type { Judged } from './judged.ts';
import type { Resolve } from './resolve.ts';

/** An event and the specs of its repository. */
export interface Recognized {
  event: Event;
  candidates: LoadedSpec[];
}

/** Reads a payload. `names` keeps what repositories are called, for several payloads at once. */
export type Recognize = (
  eventName: string,
  payload: Json,
  names?: Map<string, readonly string[]>,
) => Promise<Recognized>;

/** Asks every spec of the event's repository for its verdict. `patient` and what is thrown as in `Resolve`. */
export type Judge = (
  eventName: string,
  payload: Json,
  signal: AbortSignal,
  patient: boolean,
) => Promise<Judged>;

export function createRecognize(deps: {
  catalog: Pick<Catalog, 'forRepository' | 'forHook' | 'hook'>;
  repositories: Pick<Repositories, 'see' | 'namesOf'>;
  clock: Clock;
}): Recognize {
  const { catalog, repositories } = deps;

  /** The names that a payload's repository has and had. */
  async function namesOf(repository: string, id: number | undefined): Promise<readonly string[]> {
    if (id !== undefined) await repositories.see(id, repository, deps.clock.now());
    return await repositories.namesOf(repository);
  }

  function ofHook(hook: string, payload: Json): Recognized {
    const configured = catalog.hook(hook)?.hook;
    const verdict =
      configured === undefined
        ? failed('hook', `there is no hook ${hook} any more`)
        : matchesHookCondition('hook.if', configured.if, payload);
    return {
      event: { kind: 'hook', hook, repository: undefined, verdict },
      candidates: [...catalog.forHook(hook)],
    };
  }

  return async (name, payload, known = new Map()) => {
    const hook = hookOfEvent(name);
    if (hook !== undefined) return ofHook(hook, payload);
    const parsed = github.toEvent(name, payload);
    const { repository } = parsed;
    if (repository === undefined) return { event: parsed, candidates: [] };
    const id = repositoryIdOf(payload);
    const key = `${id} ${repository}`;
    const names = known.get(key) ?? (await namesOf(repository, id));
    known.set(key, names);
    const formerly = names.filter((one) => !sameRepository(one, repository));
    return {
      event: formerly.length === 0 ? parsed : { ...parsed, formerly },
      candidates: [repository, ...formerly].flatMap((one) => catalog.forRepository(one)),
    };
  };
}

export function createJudge(deps: { recognize: Recognize; resolve: Resolve }): Judge {
  return async (name, payload, signal, patient) => {
    const { event: parsed, candidates } = await deps.recognize(name, payload);
    const event = await deps.resolve(parsed, payload, candidates, signal, patient);
    return await judgedBy({ event, candidates }, payload);
  };
}

/** The verdicts on an event of which nothing is left open. */
export async function judgedBy({ event, candidates }: Recognized, payload: Json): Promise<Judged> {
  const specs = candidates.map(({ spec }) => spec);
  const verdicts = await matchSpecs(specs, event, payload);
  return {
    event,
    verdicts: candidates.flatMap((loaded, index) => {
      const verdict = verdicts[index];
      return verdict === undefined ? [] : [{ loaded, verdict }];
    }),
  };
}
