import { setCompletedCheck, type CompletedCheck } from './check-run.ts';
import { githubKind } from './kind.ts';

/** The check run on a commit of the repository with the specs that has broken or mended them. */
export interface SpecCheckCallback extends Pick<
  CompletedCheck,
  'sha' | 'title' | 'text' | 'annotations'
> {
  kind: 'spec-check';
  repository: string;
  conclusion: 'success' | 'failure';
}

const NAME = 'mainsheet/specs';

/** One for each commit, which is looked for before it is made. */
export const specCheck = githubKind<SpecCheckCallback>({
  kind: 'spec-check',
  title: 'Check run of specs',
  appOnly: true,
  target: ({ repository, sha }) => `spec-check:${repository.toLowerCase()}:${sha}`,
  tells: ({ conclusion }) => conclusion,
  isState: true,
  bare: (message) => ({ ...message, text: 'GitHub did not take the details.', annotations: [] }),
  doing: 'set the check run of',
  act: async (octokit, place, message) =>
    await setCompletedCheck(octokit, place, {
      ...message,
      name: NAME,
      externalId: NAME,
      checkRunId: undefined,
    }),
  permissions: [{ name: 'checks', least: 'write', why: 'to show what is wrong with specs' }],
});
