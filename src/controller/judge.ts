import { parseEvent } from '../github/events.ts';
import type { Json } from '../model/event.ts';
import type { Catalog } from '../spec/catalog.ts';
import { matchSpecs } from '../spec/match-specs.ts';
import type { Judged } from './judged.ts';
import type { Resolve } from './resolve.ts';

/** Asks every spec of the event's repository for its verdict. Throws what `Resolve` throws. */
export type Judge = (eventName: string, payload: Json, signal: AbortSignal) => Promise<Judged>;

export function createJudge({ catalog, resolve }: { catalog: Catalog; resolve: Resolve }): Judge {
  return async (name, payload, signal) => {
    const parsed = parseEvent(name, payload);
    const candidates =
      parsed.repository === undefined ? [] : catalog.forRepository(parsed.repository);
    const event = await resolve(parsed, payload, candidates, signal);
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
