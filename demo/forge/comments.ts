import { textAt, type JsonObject } from '../json.ts';
import { notFound, type ForgeFacts, type OperationHandler } from './operations.ts';
import { nodeId } from './payloads.ts';

interface CommitComment {
  repository: string;
  sha: string;
  shown: JsonObject;
}

interface Reaction {
  /** What it is a reaction to. */
  key: string;
  shown: JsonObject;
}

/**
 * Comments on commits, and reactions to comments, that are kept: https://docs.github.com/en/rest/commits/comments,
 * https://docs.github.com/en/rest/reactions/reactions
 */
export function createComments(facts: ForgeFacts): Record<string, OperationHandler> {
  const comments: CommitComment[] = [];
  const reactions: Reaction[] = [];

  const of = (kind: string, repository: string, id = '') => `${kind} ${repository} ${id}`;

  const create =
    (kind: string): OperationHandler =>
    ({ repository, params, body }) => {
      const key = of(kind, repository, params['comment_id']);
      const content = textAt(body, 'content');
      const there = reactions.find((one) => one.key === key && one.shown['content'] === content);
      if (there !== undefined) return { status: 200, body: there.shown };
      const id = reactions.length + 1;
      const at = new Date().toISOString();
      const user = facts.writer();
      const shown = { id, node_id: nodeId('Reaction', id), user, content, created_at: at };
      reactions.push({ key, shown });
      return { status: 201, body: shown };
    };

  const list =
    (kind: string): OperationHandler =>
    ({ repository, params }) => {
      const key = of(kind, repository, params['comment_id']);
      return {
        status: 200,
        list: reactions.filter((one) => one.key === key).map(({ shown }) => shown),
      };
    };

  return {
    async 'repos/create-commit-comment'({ repository, params, body }) {
      const sha = await facts.resolveCommit(repository, params['commit_sha'] ?? '');
      if (sha === undefined) return notFound();
      const id = comments.length + 1;
      const at = new Date().toISOString();
      const shown: JsonObject = {
        url: `${facts.url}/repos/${repository}/comments/${id}`,
        html_url: `${facts.url}/${repository}/commit/${sha}#commitcomment-${id}`,
        id,
        node_id: nodeId('CommitComment', id),
        user: facts.writer(),
        position: null,
        line: null,
        path: null,
        commit_id: sha,
        created_at: at,
        updated_at: at,
        author_association: 'NONE',
        body: textAt(body, 'body'),
      };
      comments.push({ repository, sha, shown });
      return { status: 201, body: shown };
    },

    /** Oldest first, as GitHub has them. */
    async 'repos/list-comments-for-commit'({ repository, params }) {
      const sha = await facts.resolveCommit(repository, params['commit_sha'] ?? '');
      if (sha === undefined) return notFound();
      const own = comments.filter((one) => one.repository === repository && one.sha === sha);
      return { status: 200, list: own.map(({ shown }) => shown) };
    },

    'reactions/create-for-commit-comment': create('commit'),
    'reactions/list-for-commit-comment': list('commit'),
    'reactions/create-for-issue-comment': create('issue'),
    'reactions/list-for-issue-comment': list('issue'),
  };
}
