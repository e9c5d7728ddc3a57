import { codeSpan } from '../lib/code-span.ts';
import { IMPORTANCE } from '../model/importance.ts';
import { pullOf } from '../model/preview.ts';
import type { Run } from '../model/run.ts';
import type { PreviewKey } from '../store/previews.ts';
import { addressOf } from './deployment-status.ts';
import { descriptionOf, linkTo } from './describe.ts';
import { link } from './fields.ts';
import { githubKind } from './kind.ts';
import { setPullComment } from './pull-comment.ts';

/** The comment on a pull request that says where its preview is. */
export interface PreviewCommentCallback extends PreviewKey {
  kind: 'preview-comment';
  runId: string;
  /** The state of the run that it tells of. */
  state: Run['state'];
  /** Markdown. */
  text: string;
}

type Rendered = PreviewCommentCallback & { commentId: number | undefined };

const target = ({ spec, repository, number }: PreviewKey) =>
  `preview-comment:${spec}:${repository.toLowerCase()}#${number}`;

/** One for each pull request and spec, changed when there is more to say. */
export const previewComment = githubKind<PreviewCommentCallback, Rendered>({
  kind: 'preview-comment',
  at: 'github',

  due({ run, publicUrl }) {
    const number = pullOf(run);
    const text = number === undefined ? undefined : textOf(run, linkTo(run.id, publicUrl));
    if (number === undefined || text === undefined) return [];
    const { id: runId, spec, repository, state } = run;
    return [{ kind: 'preview-comment', spec, repository, number, runId, state, text }];
  },

  target,
  tells: ({ state }) => state,
  importance: () => IMPORTANCE.deployment,
  isState: true,
  render: async (callback, _entry, { store }) => ({
    ...callback,
    commentId: await store.outbox.number(target(callback)),
  }),
  doing: 'comment on a pull request of',
  act: async (octokit, place, { spec, number: pull, text, commentId }) =>
    await setPullComment(octokit, place, {
      pull,
      mark: `<!-- mainsheet: preview ${spec} -->`,
      text,
      commentId,
    }),
  numbered: target,
  permissions: [
    { name: 'pull_requests', least: 'write', why: 'to say where previews of pull requests are' },
  ],
});

/** Undefined where there is nothing to say beside what is said. */
function textOf(run: Run, page: string | undefined): string | undefined {
  const at = codeSpan(run.sha.slice(0, 7));
  const more = page === undefined ? '' : ` ([run](${page}))`;
  const what = codeSpan(run.spec);
  if (run.event === 'teardown') {
    if (run.state === 'succeeded') return `The preview of ${what} is taken down.${more}`;
    if (run.state === 'failed' || run.state === 'cancelled') {
      return `The preview of ${what} could not be taken down: ${codeSpan(descriptionOf(run))}${more}`;
    }
    return undefined;
  }
  switch (run.state) {
    case 'queued':
    case 'superseded':
      return undefined;
    case 'succeeded': {
      const address = link(addressOf(run));
      const where = address === undefined ? codeSpan(run.environment) : `<${address}>`;
      return `The preview of ${what} at ${at}: ${where}${more}`;
    }
    default:
      return `The preview of ${what} at ${at}: ${codeSpan(descriptionOf(run))}${more}`;
  }
}
