import { TerminalError } from '../lib/errors.ts';
import type { Json } from '../model/event.ts';
import { NO_COMMIT } from '../model/push-history.ts';
import { readFields, readName, type Fields } from './github/payload.ts';
import { readMove, readPlace, type ReadServerEvent } from './server-push.ts';

/** A push of more refs is refused: each becomes a delivery. */
const MOST_CHANGES = 1000;

/** https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/#Push */
export const readBitbucketEvent: ReadServerEvent = (server, body) => {
  const changes = changesOf(body);
  if (changes === undefined) return undefined;
  const { full_name: path } = readFields(body.repository, 'repository');
  const repository = readPlace(server, path, 'repository.full_name');
  const [change, ...others] = changes;
  if (others.length > 0) throw unreadable('push.changes has more than one');
  const { old: before, new: after } = readFields(change, 'push.changes[0]');
  return readMove(repository, {
    ref: refOf(readFields(after ?? before, 'push.changes[0].new')),
    before: commitOf(before, 'push.changes[0].old'),
    after: commitOf(after, 'push.changes[0].new'),
  });
};

/** Bitbucket tells of all refs of a push at once: the same body for each of them. Throws TerminalError `payload-unreadable`. */
export function splitBitbucketPush(body: Json): Json[] {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return [body];
  const changes = changesOf(body);
  if (changes === undefined || changes.length <= 1) return [body];
  if (changes.length > MOST_CHANGES) throw unreadable(`push.changes has ${changes.length} entries`);
  return changes.map((change) => ({ ...body, push: { changes: [change] } }));
}

function changesOf({ push }: Fields): Json[] | undefined {
  if (typeof push !== 'object' || push === null || Array.isArray(push)) return undefined;
  return Array.isArray(push['changes']) ? push['changes'] : undefined;
}

function refOf({ type, name }: Fields): string {
  const folder = type === 'branch' ? 'heads' : type === 'tag' ? 'tags' : undefined;
  if (folder === undefined) throw unreadable('push.changes[0] is of no branch and no tag');
  return `refs/${folder}/${readName(name, 'push.changes[0].new.name')}`;
}

function commitOf(side: Json | undefined, where: string): Json | undefined {
  if (side === null || side === undefined) return NO_COMMIT;
  return readFields(readFields(side, where).target, `${where}.target`).hash;
}

function unreadable(what: string): TerminalError {
  return new TerminalError('payload-unreadable', what);
}
