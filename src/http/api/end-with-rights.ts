import type { Broadcast } from '../../lib/broadcast.ts';
import type { News } from '../../model/news.ts';
import type { Viewer } from '../auth/viewer.ts';
import type { EventStream } from './event-stream.ts';

/** So long a stream goes on without asking again what its viewer may see: as long as an answer of GitHub counts. */
const LONGEST_MS = 5 * 60_000;

/** Ends a stream of a user of GitHub, also of one who sees everything, when their rights may have changed: browsers open it again by themselves. */
export function endWithRights(
  stream: Pick<EventStream, 'end' | 'signal'>,
  viewer: Viewer,
  news: Broadcast<News>,
): void {
  // One whom GitHub makes an administrator, by a team, may be none tomorrow.
  if (viewer.visible === undefined && !viewer.actor.startsWith('github:')) return;
  const timer = setTimeout(stream.end, LONGEST_MS);
  const unsubscribe = news.subscribe(({ kind }) => {
    if (kind === 'access') stream.end();
  });
  stream.signal.addEventListener('abort', () => {
    clearTimeout(timer);
    unsubscribe();
  });
}
