import type { Context } from 'koa';
import type { Broadcast } from '../../lib/broadcast.ts';
import type { News } from '../../model/news.ts';
import type { Viewer } from './viewer.ts';

/** So long an answer to a user of GitHub goes on without asking again what they may see: as long as an answer of GitHub counts. */
const LONGEST_MS = 5 * 60_000;

/** Of a request whose answer takes long: whether its viewer may have it, and still may. */
export interface Standing {
  /** Counts an answer that stays open: `createOpenAnswers`. Returns how to end that. */
  enter(): () => void;
  /**
   * Calls `end` once the session has ended (`SessionEnds`), and for a user of GitHub when rights may have changed since they were
   * asked for, and after five minutes. Returns how to stop.
   */
  follow(end: () => void): () => void;
  /** Who asks, as it is now; undefined when they are logged in no more. */
  again(): Promise<Viewer | undefined>;
}

/** The standing of who asks, on a route that is not open. */
export function standingOf(ctx: Context): Standing {
  return ctx.state['standing'] as Standing;
}

/** What tells that rights may have changed. */
export interface RightsChanges {
  /** Counts from now on: `follow` ends at once when something has changed since this was called. */
  begin(): { follow(end: () => void): () => void };
}

export function createRightsChanges(news: Broadcast<News>): RightsChanges {
  const ends = new Set<() => void>();
  let changes = 0;
  news.subscribe(({ kind }) => {
    if (kind !== 'access') return;
    changes += 1;
    for (const end of ends) end();
  });
  return {
    begin() {
      const before = changes;
      return {
        follow(end) {
          if (changes !== before) end();
          const own = () => end();
          ends.add(own);
          const timer = setTimeout(end, LONGEST_MS).unref();
          return () => {
            ends.delete(own);
            clearTimeout(timer);
          };
        },
      };
    },
  };
}
