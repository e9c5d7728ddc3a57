import { repositoryIdOf } from '../github/describe-delivery.ts';
import { parseEvent } from '../github/events.ts';
import type { Clock } from '../lib/clock.ts';
import { sameRepository, type Event, type Json } from '../model/event.ts';
import type { Catalog } from '../spec/catalog.ts';
import { matchSpecs } from '../spec/match-specs.ts';
import type { Repositories } from '../store/repositories.ts';
import type { Judged } from './judged.ts';
import type { Resolve } from './resolve.ts';

/** Asks every spec of the event's repository for its verdict. `patient` and what is thrown as in `Resolve`. */
export type Judge = (
  eventName: string,
  payload: Json,
  signal: AbortSignal,
  patient: boolean,
) => Promise<Judged>;

export function createJudge(deps: {
  catalog: Catalog;
  resolve: Resolve;
  repositories: Repositories;
  clock: Clock;
}): Judge {
  const { catalog, repositories } = deps;

  /** The event, with the names that its repository had before. */
  async function withNames(event: Event, payload: Json): Promise<Event> {
    const { repository } = event;
    if (repository === undefined) return event;
    const id = repositoryIdOf(payload);
    if (id !== undefined) await repositories.see(id, repository, deps.clock.now());
    const names = await repositories.namesOf(repository);
    const formerly = names.filter((name) => !sameRepository(name, repository));
    return formerly.length === 0 ? event : { ...event, formerly };
  }

  return async (name, payload, signal, patient) => {
    const parsed = await withNames(parseEvent(name, payload), payload);
    const names = [parsed.repository ?? [], parsed.formerly ?? []].flat();
    const candidates = names.flatMap((repository) => catalog.forRepository(repository));
    const event = await deps.resolve(parsed, payload, candidates, signal, patient);
    const specs = candidates.map(({ spec }) => spec);
    const verdicts = await matchSpecs(specs, event, payload);
    return {
      event,
      verdicts: candidates.flatMap((loaded, index) => {
        const verdict = verdicts[index];
        return verdict === undefined ? [] : [{ loaded, verdict }];
      }),
    };
  };
}
