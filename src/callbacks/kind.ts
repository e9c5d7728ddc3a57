import type { Octokit } from '@octokit/rest';
import type { Callback } from '../model/callback.ts';
import { IMPORTANCE } from '../model/importance.ts';
import type { CallbackKind, Message, Place, Way } from './contract.ts';

/** What most kinds have in common, and so need not say. */
type Usual = 'due' | 'importance' | 'payer' | 'permissions';

/** A kind without what it has in common with most. What is sent as it is stored needs no `render`. */
type Written<Stored extends Callback, Rendered extends Message> = Omit<
  CallbackKind<Stored, Rendered>,
  Usual | 'render' | 'send'
> &
  Partial<Pick<CallbackKind<Stored, Rendered>, Usual>> &
  (Stored extends Rendered
    ? { render?: CallbackKind<Stored, Rendered>['render'] }
    : Pick<CallbackKind<Stored, Rendered>, 'render'>);

/**
 * A kind of callback. What it does not say: nothing is due by itself, it is told after all that GitHub shows, it costs nothing of
 * GitHub's budget, and nothing has to be allowed for it.
 */
export function callbackKind<Stored extends Callback, Rendered extends Message>(
  written: Written<Stored, Rendered> & Pick<CallbackKind<Stored, Rendered>, 'send'>,
): CallbackKind<Stored, Rendered> {
  const usual = {
    due: () => [],
    importance: () => IMPORTANCE.notification,
    payer: () => undefined,
    permissions: [],
    render: async (callback: Stored) => callback,
  };
  return { ...usual, ...written } as CallbackKind<Stored, Rendered>;
}

/**
 * The same for what goes to GitHub, to the repository that it names. `doing`: as in "could not set the status of". `act`: one request,
 * or a few; resolves with the number of what was made, where the kind keeps it.
 */
export function githubKind<
  Stored extends Callback & { repository: string; url?: undefined },
  Rendered extends Message & { repository: string } = Stored,
>(
  written: Written<Stored, Rendered> & {
    doing: string;
    act(octokit: Octokit, place: Place, message: Rendered, way: Way): Promise<number | void>;
  },
): CallbackKind<Stored, Rendered> {
  const { doing, act } = written;
  return callbackKind<Stored, Rendered>({
    payer: ({ repository }: Stored) => repository,
    ...written,
    async send(message: Rendered, way: Way) {
      const id = await way.github(message.repository, doing, (octokit, place) =>
        act(octokit, place, message, way),
      );
      return id === undefined ? {} : { id };
    },
  });
}
