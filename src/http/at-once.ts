import type { Viewer } from './auth/viewer.ts';
import type { ProblemError } from './problem.ts';

/** How much of something may be under way at once. */
interface MostAtOnce {
  /** For one person, in all their sessions. */
  ofPerson: number;
  /** For all persons together: with GitHub everyone may log in. */
  ofPeople: number;
  /** For the admin token with its sessions, and for each of `MAINSHEET_ADMINS`. */
  ofAdministrator: number;
}

/** Counts one more of a viewer. Returns how to end that. Throws what refuses it when there are too many. */
export type Enter = (viewer: Pick<Viewer, 'actor' | 'visible'>) => () => void;

export function createAtOnce(most: MostAtOnce, tooMany: () => ProblemError): Enter {
  const underWay = new Map<string, number>();
  let ofPeople = 0;
  return ({ actor, visible }) => {
    const isPerson = visible !== undefined;
    const own = underWay.get(actor) ?? 0;
    const isFull = isPerson && ofPeople >= most.ofPeople;
    if (isFull || own >= (isPerson ? most.ofPerson : most.ofAdministrator)) throw tooMany();
    underWay.set(actor, own + 1);
    if (isPerson) ofPeople += 1;
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      const left = (underWay.get(actor) ?? 1) - 1;
      if (left > 0) underWay.set(actor, left);
      else underWay.delete(actor);
      if (isPerson) ofPeople -= 1;
    };
  };
}
