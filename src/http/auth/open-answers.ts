import { ProblemError } from '../problem.ts';
import type { Viewer } from './viewer.ts';

/** Streams and downloads of logs that are under way for one person, in all their sessions. */
const MOST_OF_PERSON = 50;
/** For all persons together: connections that are being answered keep out others, webhooks too, when there are too many. */
const MOST_OF_PEOPLE = 1000;
/** For the admin token with its sessions, and for each of `MAINSHEET_ADMINS`. */
const MOST_OF_ADMINISTRATOR = 1000;

/** Answers that stay open for long, counted by viewer. */
export interface OpenAnswers {
  /** Returns how to leave. Throws ProblemError `too-many-streams` (429). */
  enter(viewer: Pick<Viewer, 'actor' | 'visible'>): () => void;
}

export function createOpenAnswers(): OpenAnswers {
  const open = new Map<string, number>();
  let ofPeople = 0;
  return {
    enter({ actor, visible }) {
      const isPerson = visible !== undefined;
      const own = open.get(actor) ?? 0;
      const most = isPerson ? MOST_OF_PERSON : MOST_OF_ADMINISTRATOR;
      if (own >= most || (isPerson && ofPeople >= MOST_OF_PEOPLE)) {
        throw new ProblemError(429, 'too-many-streams', 'too many streams are open', {
          hint: 'close some pages',
          headers: { 'Retry-After': '30' },
        });
      }
      open.set(actor, own + 1);
      if (isPerson) ofPeople += 1;
      let isOpen = true;
      return () => {
        if (!isOpen) return;
        isOpen = false;
        const left = (open.get(actor) ?? 1) - 1;
        if (left > 0) open.set(actor, left);
        else open.delete(actor);
        if (isPerson) ofPeople -= 1;
      };
    },
  };
}
