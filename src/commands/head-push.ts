import { isSha } from '../lib/names.ts';
import { MainsheetError } from '../lib/errors.ts';
import type { Json } from '../model/event.ts';
import { NO_COMMIT } from '../model/push-history.ts';
import { said, type OwnCheckout } from './own-checkout.ts';

/** What a push of a commit would send, and whether the commit is at the remote already. */
export interface HeadPush {
  payload: Record<string, Json>;
  isPushed: boolean;
}

/** GitHub lists no more: https://docs.github.com/en/webhooks/webhook-events-and-payloads#push */
const MAX_COMMITS = 2048;
const FIELDS = ['%H', '%T', '%cI', '%an', '%ae', '%cn', '%ce', '%B'];
const LIST_FILES =
  'diff-tree --stdin -r -z --root --diff-merges=first-parent --no-renames --name-status'.split(' ');
/** What git calls a change of a file, and what GitHub does. */
const LISTS = { A: 'added', D: 'removed' } as const;

type FileLists = Record<'added' | 'modified' | 'removed', string[]>;

/**
 * The payload that a push of `from` to the branch that is checked out would have, as far as the checkout knows: what the branch
 * was before is what was last fetched or pushed. When `from` is there already, it is the push of the last commit alone.
 *
 * https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
 */
export async function pushOf(checkout: OwnCheckout, from: string): Promise<HeadPush> {
  const { git, repository, branch, remote } = checkout;
  const commitOf = (name: string) =>
    said(git, 'rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`);
  const after = await commitOf(from);
  if (after === undefined) {
    throw new MainsheetError('revision-unknown', `there is no commit ${from} here`, {
      hint: 'name a branch, a tag or a commit of this checkout, such as HEAD',
    });
  }
  const known = await commitOf(`refs/remotes/${remote}/${branch}`);
  const isPushed = known === after;
  const before = isPushed ? await commitOf(`${after}^1`) : known;
  const forced =
    before !== undefined &&
    (await said(git, 'rev-list', '--max-count=1', before, `^${after}`)) !== undefined;
  const range =
    before === undefined ? [after, '--not', `--remotes=${remote}`] : [after, `^${before}`];
  const commits = await readCommits(checkout, [`--max-count=${MAX_COMMITS}`, ...range]);
  const [head = null] = await readCommits(checkout, ['--max-count=1', after]);
  const [owner = '', name = ''] = repository.split('/');
  const user = (await said(git, 'config', '--get', 'github.user')) ?? owner;
  const email = (await said(git, 'config', '--get', 'user.email')) ?? null;
  const payload = {
    ref: `refs/heads/${branch}`,
    before: before ?? NO_COMMIT,
    after,
    created: before === undefined,
    deleted: false,
    forced,
    base_ref: null,
    compare: `https://github.com/${repository}/compare/${(before ?? NO_COMMIT).slice(0, 12)}...${after.slice(0, 12)}`,
    commits,
    head_commit: head,
    repository: { name, full_name: repository, owner: { name: owner, login: owner } },
    pusher: { name: user, email },
    sender: { login: user, type: 'User' },
  };
  return { payload, isPushed };
}

/** Oldest first, each with the files that it changed; those of a merge against its first parent. */
async function readCommits(
  { git, gitWith, repository }: OwnCheckout,
  range: string[],
): Promise<Record<string, Json>[]> {
  const format = `--format=${FIELDS.join('%x00')}`;
  const log = [
    'log',
    '-z',
    '--reverse',
    '--topo-order',
    '--no-show-signature',
    format,
    ...range,
    '--',
  ];
  const fields = (await git.raw(log)).split('\0');
  const records = Array.from({ length: Math.floor(fields.length / FIELDS.length) }, (_, index) =>
    fields.slice(index * FIELDS.length, (index + 1) * FIELDS.length),
  );
  const ids = records.map(([id = '']) => id);
  if (ids.length === 0) return [];
  const stdin = await gitWith(`${ids.join('\n')}\n`);
  const files = readFiles(await stdin.raw(LIST_FILES));
  return records.map(
    ([id = '', tree = '', at = '', an = '', ae = '', cn = '', ce = '', text = '']) => ({
      id,
      tree_id: tree,
      distinct: true,
      message: text.trimEnd(),
      timestamp: at,
      url: `https://github.com/${repository}/commit/${id}`,
      author: { name: an, email: ae },
      committer: { name: cn, email: ce },
      ...(files.get(id) ?? { added: [], removed: [], modified: [] }),
    }),
  );
}

/** By commit. Each is followed by what happened to a file, and the file's name. */
function readFiles(text: string): Map<string, FileLists> {
  const found = new Map<string, FileLists>();
  let lists: FileLists = { added: [], removed: [], modified: [] };
  const words = text.split('\0').values();
  for (const word of words) {
    if (isSha(word)) {
      lists = { added: [], removed: [], modified: [] };
      found.set(word, lists);
    } else if (word !== '') {
      lists[LISTS[word as keyof typeof LISTS] ?? 'modified'].push(words.next().value ?? '');
    }
  }
  return found;
}
