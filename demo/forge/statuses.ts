import { textAt, type JsonObject } from '../json.ts';
import {
  notFound,
  refuseText,
  unprocessable,
  type ForgeFacts,
  type OperationHandler,
} from './operations.ts';
import { nodeId } from './payloads.ts';

export interface Statuses {
  handlers: Record<string, OperationHandler>;
  /** The latest status of each context on a commit. */
  latest: (repository: string, sha: string) => JsonObject[];
}

/** Commit statuses that are kept: https://docs.github.com/en/rest/commits/statuses */
export function createStatuses(facts: ForgeFacts): Statuses {
  const written: { repository: string; sha: string; status: JsonObject }[] = [];
  const on = (repository: string, sha: string) =>
    written
      .filter((each) => each.repository === repository && each.sha === sha)
      .map((each) => each.status)
      .toReversed();

  const latest: Statuses['latest'] = (repository, sha) => {
    const contexts = new Set<string>();
    return on(repository, sha).filter((status) => {
      const context = textAt(status, 'context').toLowerCase();
      return contexts.has(context) ? false : contexts.add(context);
    });
  };

  return {
    latest,
    handlers: {
      async 'repos/create-commit-status'({ repository, params, body }) {
        const asked = params['sha'] ?? '';
        const sha = await facts.resolveCommit(repository, asked);
        if (sha !== asked) return unprocessable(`No commit found for SHA: ${asked}`);
        const description = body['description'] ?? null;
        const context = textAt(body, 'context', 'default');
        const refused =
          refuseText('Status', 'description', description) ??
          refuseText('Status', 'context', context, 255);
        if (refused !== undefined) return refused;
        const earlier = on(repository, sha).filter((each) => each['context'] === context);
        if (earlier.length >= 1000) {
          return unprocessable('This SHA and context has reached the maximum number of statuses.');
        }
        const id = written.length + 1;
        const creator = facts.writer();
        const at = new Date().toISOString();
        const status: JsonObject = {
          url: `${facts.url}/repos/${repository}/statuses/${sha}`,
          avatar_url: creator['avatar_url'] ?? null,
          id,
          node_id: nodeId('StatusContext', id),
          state: body['state'] ?? 'pending',
          description,
          target_url: body['target_url'] ?? null,
          context,
          created_at: at,
          updated_at: at,
          creator,
        };
        written.push({ repository, sha, status });
        return { status: 201, body: status };
      },

      async 'repos/list-commit-statuses-for-ref'({ repository, params }) {
        const sha = await facts.resolveCommit(repository, params['ref'] ?? '');
        return sha === undefined ? notFound() : { status: 200, list: on(repository, sha) };
      },

      async 'repos/get-combined-status-for-ref'({ repository, params }) {
        const sha = await facts.resolveCommit(repository, params['ref'] ?? '');
        if (sha === undefined) return notFound();
        const statuses = latest(repository, sha);
        return {
          status: 200,
          body: {
            state: combine(statuses),
            statuses: statuses.map(({ creator: _creator, ...simple }) => simple),
            sha,
            total_count: statuses.length,
            repository: facts.repository(repository),
            commit_url: `${facts.url}/repos/${repository}/commits/${sha}`,
            url: `${facts.url}/repos/${repository}/commits/${sha}/status`,
          },
        };
      },
    },
  };
}

/** https://docs.github.com/en/rest/commits/statuses#get-the-combined-status-for-a-specific-reference */
function combine(statuses: JsonObject[]): 'failure' | 'pending' | 'success' {
  const states = statuses.map((status) => status['state']);
  if (states.some((state) => state === 'error' || state === 'failure')) return 'failure';
  return states.length === 0 || states.includes('pending') ? 'pending' : 'success';
}
