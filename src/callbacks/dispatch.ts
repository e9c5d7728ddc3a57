import { unreadableAnswer } from '../github/failure.ts';
import { TerminalError } from '../lib/errors.ts';
import type { Json } from '../model/event.ts';
import { renderJson, renderTemplate } from '../spec/expressions.ts';
import { isNotify } from '../spec/notify/index.ts';
import { wellFormed } from './fields.ts';
import { callbackKind } from './kind.ts';
import { entryOf, notification, rendering, type NotifyCallback } from './notify.ts';

interface Rendered {
  kind: 'dispatch';
  repository: string;
  eventType: string;
  payload: Record<string, Json>;
}

/** Characters of `event_type`, top-level properties of `client_payload`, and bytes, which have to be fewer than 64 KB. */
const LIMITS = { eventType: 100, keys: 10, bytes: 64 * 1024 - 1 } as const;

/**
 * A `repository_dispatch` event at another repository.
 * https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event
 */
export const dispatch = callbackKind<NotifyCallback<'dispatch'>, Rendered>({
  ...notification('dispatch'),
  title: 'Repository dispatch',
  payer({ run, notify }, entries) {
    const entry = entries[notify];
    const literal = isNotify(entry, 'dispatch') && !entry.repository.includes('${{');
    return literal ? entry.repository : run.repository;
  },

  async render(callback, _entry, sources) {
    const from = await sources.notify(callback.run, callback.notify);
    const notify = entryOf(from.notify, 'dispatch');
    return rendering(from, () => ({
      kind: 'dispatch',
      repository: notify.repository,
      eventType: renderTemplate(notify.eventType, from.context),
      payload: renderJson(notify.payload, from.context) as Record<string, Json>,
    }));
  },

  async send(written, way) {
    const message = {
      ...written,
      eventType: written.eventType.toWellFormed(),
      payload: wellFormed(written.payload),
    };
    const problem = problemOf(message);
    if (problem !== undefined) {
      throw new TerminalError(
        'dispatch-too-large',
        `the dispatch to ${message.repository} ${problem}`,
        { hint: 'shorten what its notify entry puts into it' },
      );
    }
    const request = async (...[octokit, place]: Parameters<Parameters<typeof way.github>[2]>) => {
      const answer = await octokit.request('POST /repos/{owner}/{repo}/dispatches', {
        ...place,
        event_type: message.eventType,
        client_payload: message.payload,
      });
      // It has nothing to say, so what has is something else.
      const { status }: { status: number } = answer;
      if (status !== 204) throw unreadableAnswer(status);
    };
    // It goes to a repository that has long been there.
    await way.github(message.repository, 'dispatch to', request, true);
    return {};
  },

  // `contents: write`, where a spec has one: `doctor` says so.
});

/** The loader checks what is written; only after the templates are filled in is it known what they came to. */
function problemOf({ eventType, payload }: Rendered): string | undefined {
  const keys = Object.keys(payload).length;
  const bytes = Buffer.byteLength(JSON.stringify(payload));
  if (eventType.length < 1 || eventType.length > LIMITS.eventType) {
    return `has an event type of ${eventType.length} characters; GitHub takes 1 to ${LIMITS.eventType}`;
  }
  if (keys > LIMITS.keys) {
    return `has ${keys} keys; GitHub takes ${LIMITS.keys}`;
  }
  return bytes > LIMITS.bytes
    ? `has ${bytes} bytes of payload; GitHub takes ${LIMITS.bytes}`
    : undefined;
}
