import { IMPORTANCE } from '../model/importance.ts';
import { setCompletedCheck, type CompletedCheck } from './completed-check.ts';
import type { CallbackKind } from './contract.ts';

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
export const specCheck: CallbackKind<SpecCheckCallback, SpecCheckCallback> = {
  kind: 'spec-check',
  appOnly: true,
  due: () => [],
  target: ({ repository, sha }) => `spec-check:${repository.toLowerCase()}:${sha}`,
  tells: ({ conclusion }) => conclusion,
  importance: () => IMPORTANCE.notification,
  payer: ({ repository }) => repository,
  isState: true,
  render: async (callback) => callback,
  bare: (message) => ({ ...message, text: 'GitHub did not take the details.', annotations: [] }),

  send: async (message, way) => ({
    id: await way.github(message.repository, 'set the check run of', (octokit, place) =>
      setCompletedCheck(octokit, place, {
        ...message,
        name: NAME,
        externalId: NAME,
        checkRunId: undefined,
      }),
    ),
  }),

  permissions: [{ name: 'checks', least: 'write', why: 'to show what is wrong with specs' }],
};
