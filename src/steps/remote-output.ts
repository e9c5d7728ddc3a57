import type { StepContext } from './contract.ts';
import { NotUnderstoodError, TooLargeError } from './ask.ts';

/** How much of a work's output the log has: all before `at`, a place of the other system's, and so many UTF-16 units from there. */
export interface Shown {
  at: number;
  more: number;
}

/** The output of work that another system does, on its way into the log. */
export interface RemoteOutput {
  /** The place from which it is read next; 0 is its start. */
  at(): number;
  /** Logs what was read from there up to `next`. It is on the disk together with how much there is. */
  show(text: string, next: number): Promise<void>;
  /**
   * Shows what `read` shows, unless that is more than is read of an answer, or is not understood: then the log has where it is. How
   * the work ends is no matter of that. What is not understood is read again at the next look.
   */
  unlessUnreadable(where: string, read: () => Promise<void>): Promise<void>;
}

/** `shown`: what the log had when the process before ended. `keptOf`: what the step keeps, with how much the log has now. */
export function createRemoteOutput(
  { log, logAndKeep }: Pick<StepContext, 'log' | 'logAndKeep'>,
  shown: Shown,
  keptOf: (shown: Shown) => string,
): RemoteOutput {
  let place = shown.at;
  let skip = shown.more;
  let isOver = false;
  let isTold = false;
  /** Units that were logged here, and how many of them there were at places before: where reading begins again must be in the log. */
  let logged = 0;
  let places = [{ at: shown.at, logged: -shown.more }];

  function storedBut(held: number): Shown {
    // What the step itself has said before may be held, too.
    const stored = Math.max(0, logged - held);
    places = places.slice(
      Math.max(
        0,
        places.findLastIndex((each) => each.logged <= stored),
      ),
    );
    const [first = { at: 0, logged: 0 }] = places;
    return { at: first.at, more: stored - first.logged };
  }

  return {
    at: () => place,
    async show(text, next) {
      const fresh = text.slice(skip);
      skip = Math.max(0, skip - text.length);
      place = next;
      logged += fresh.length;
      places.push({ at: next, logged });
      if (fresh !== '') await logAndKeep(fresh, (held) => keptOf(storedBut(held)));
    },
    async unlessUnreadable(where, read) {
      if (isOver) return;
      try {
        await read();
      } catch (error) {
        if (error instanceof NotUnderstoodError) {
          if (!isTold) log('stderr', `${error.message}, so its output is at ${where}\n`);
          isTold = true;
          return;
        }
        if (!(error instanceof TooLargeError)) throw error;
        isOver = true;
        log('stderr', `Too much output to be read at once; the rest is at ${where}\n`);
      }
    },
  };
}
