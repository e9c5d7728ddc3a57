import { TerminalError } from '../lib/errors.ts';
import type { Event, Json } from '../model/event.ts';
import { serverEventName, serverOfEvent } from '../model/server-event.ts';
import { readBitbucketEvent, splitBitbucketPush } from './bitbucket-events.ts';
import { readGiteaEvent } from './gitea-events.ts';
import { parseEvent } from './github/events.ts';
import { readFields } from './github/payload.ts';
import { readGitlabEvent } from './gitlab-events.ts';

/** Gitea last: its bodies, and what Mainsheet finds by looking, are like GitHub's. */
const READERS = [readGitlabEvent, readBitbucketEvent, readGiteaEvent];

/**
 * What a delivery of GitHub or of another git server means; `name` is its event's. Never throws: what cannot be read is
 * `other`, with the reason.
 */
export function toEvent(name: string, payload: Json): Event {
  const server = serverOfEvent(name);
  return server === undefined ? parseEvent(name, payload) : readServerEvent(server, payload);
}

/** One delivery of a git server, as it is stored. */
export interface ServerDelivery {
  event: string;
  action: string | undefined;
  repository: string | undefined;
  payload: Json;
}

/** What a body of a git server tells of: the moves of several refs are one delivery each. */
export function serverDeliveries(server: string, body: Json): ServerDelivery[] {
  return splitBitbucketPush(body).map((payload) => {
    const event = readServerEvent(server, payload);
    return {
      event: serverEventName(server, event.kind),
      action: event.kind === 'release' ? event.action : undefined,
      repository: event.repository,
      payload,
    };
  });
}

function readServerEvent(server: string, payload: Json): Event {
  const other = { kind: 'other', name: 'other', action: undefined } as const;
  try {
    const body = readFields(payload, 'the body');
    for (const read of READERS) {
      const event = read(server, body);
      if (event !== undefined) return event;
    }
    return { ...other, repository: undefined, reason: 'it is no push and no release' };
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error;
    return { ...other, repository: undefined, reason: error.message, isUnreadable: true };
  }
}
