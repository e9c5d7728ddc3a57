import { RetryableError, TerminalError } from '../lib/errors.ts';
import { commitUrl, placeOf, type GitServer, type ServerType } from '../lib/servers.ts';
import type { Json } from '../model/event.ts';
import { IMPORTANCE } from '../model/importance.ts';
import { hasEnded, type RunState } from '../model/run.ts';
import type { CallbackKind, Way } from './contract.ts';
import { descriptionOf, isOwnFault, linkTo, truthOf } from './describe.ts';
import { description, link } from './fields.ts';
import { callbackKind } from './kind.ts';
import { askedPause, isBusy, readSome, request } from './post.ts';

/** What a run looks like on a server: its own state, and two ends that the state alone does not say. */
export type Shown = RunState | 'deployed' | 'error';

/** A commit status on a git server that is not GitHub. */
export interface ServerStatusCallback<Kind extends string> {
  kind: Kind;
  repository: string;
  sha: string;
  context: string;
  shown: Shown;
  description: string;
  targetUrl: string | undefined;
}

interface Rendered<Kind> {
  kind: Kind;
  url: string;
  body: { [key: string]: Json };
  token: string;
}

/** A status that is to be sent: where its repository is says the configuration. */
export interface ServerStatus {
  server: GitServer;
  path: string;
  sha: string;
  context: string;
  shown: Shown;
  /** At most 140 characters. */
  description: string;
  /** The run's page, else the commit's. */
  url: string;
}

/**
 * The commit status `mainsheet/<spec>` on servers of one type, which follows every state as on GitHub. It is sent to the
 * server that the configuration names, with the token of that one, and redirects are not followed.
 */
export function serverStatus<Type extends ServerType>(kind: {
  type: Type;
  /** The address and what is posted there. */
  request(status: ServerStatus): { url: string; body: { [key: string]: Json } };
  headers?(token: string): Record<string, string>;
  /** Whether an answer of 400 says that the commit has the state already. */
  isThere?(answer: string): boolean;
}): CallbackKind<ServerStatusCallback<`${Type}-status`>, Rendered<`${Type}-status`>> {
  const name = `${kind.type}-status` as const;
  return callbackKind<ServerStatusCallback<`${Type}-status`>, Rendered<`${Type}-status`>>({
    kind: name,
    title: 'Commit status',
    chosenAs: 'status',
    at: kind.type,

    due(change) {
      const { run, isDeployed } = truthOf(change);
      return [
        {
          kind: name,
          repository: run.repository,
          sha: run.sha,
          context: `mainsheet/${run.spec}`,
          shown: isOwnFault(run) ? 'error' : isDeployed ? 'deployed' : run.state,
          description: descriptionOf(run, isDeployed),
          targetUrl: linkTo(run.id, change.publicUrl),
        },
      ];
    },

    target: ({ repository, sha, context }) =>
      `status:${repository.toLowerCase()}:${sha}:${context}`,
    tells: ({ shown }) => shown,
    importance: ({ shown }) =>
      shown === 'error' || shown === 'deployed' || hasEnded(shown)
        ? IMPORTANCE.final
        : IMPORTANCE.intermediate,
    isState: true,

    async render(callback, _entry, { servers }) {
      const { repository, sha, context, shown } = callback;
      const place = placeOf(repository, servers);
      if (place?.server.type !== kind.type || place.server.token === undefined) {
        const reason = `there is no server with a token for ${repository}`;
        const hint = 'set MAINSHEET_SERVERS and the token of the server';
        throw new TerminalError('server-unknown', reason, { hint });
      }
      const url = link(callback.targetUrl) ?? commitUrl(place, sha);
      const told = { sha, context, shown, description: description(callback.description), url };
      return { kind: name, token: place.server.token, ...kind.request({ ...place, ...told }) };
    },

    async send(message, way) {
      const headers = kind.headers?.(message.token) ?? { authorization: `Bearer ${message.token}` };
      const body = JSON.stringify(message.body);
      const answer = await request({ url: message.url, headers, body }, way, 'status');
      const text = await readSome(answer);
      const isThere = answer.status === 400 && kind.isThere?.(text) === true;
      if (!answer.ok && !isThere) throw refusal(new URL(message.url).host, answer, way);
      return {};
    },
  });
}

/** A commit or repository that is not known on the first try may only be too new for the server. */
function refusal(host: string, response: Response, way: Way): Error {
  const { status } = response;
  const message = `${host} answered ${status} to a commit status`;
  const retryAfterMs = askedPause(response, way.clock.now());
  if (status === 401 || status === 403) {
    const hint = 'the token of the server needs the right to set commit statuses';
    return new RetryableError('server-refused', message, { retryAfterMs, hint });
  }
  if (isBusy(status) || (status === 404 && !way.retried)) {
    return new RetryableError('server-unavailable', message, { retryAfterMs });
  }
  return new TerminalError('server-invalid', message);
}
