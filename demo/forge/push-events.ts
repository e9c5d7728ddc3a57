import { git } from '../git.ts';
import type { Json, JsonObject } from '../json.ts';
import type { Push, RefUpdate } from './git-server.ts';

/** How many commits GitHub lists in one push event: https://docs.github.com/en/webhooks/webhook-events-and-payloads#push */
export const GITHUB_COMMIT_CAP = 2048;

const ZERO = '0'.repeat(40);
const LIST_FILES = '-r -z --root --no-renames --name-status --diff-merges=first-parent'.split(' ');

/** The part of a `push` payload that git knows. */
export interface PushFacts extends JsonObject {
  ref: string;
  /** Forty zeros when the ref was created. */
  before: string;
  /** Forty zeros when the ref was deleted. An annotated tag's is the tag object, not its commit. */
  after: string;
  created: boolean;
  deleted: boolean;
  forced: boolean;
  base_ref: string | null;
  compare: string;
  /** Oldest first. Of more than the cap, the newest. */
  commits: Json[];
  head_commit: Json;
}

/**
 * One push event for each ref that a push moved, as GitHub would send them; none for the tags when it moved more than
 * three of them: https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
 */
export async function readPushEvents(
  push: Push,
  options: { commitCap: number; htmlUrl: string },
): Promise<PushFacts[]> {
  const isTag = (update: RefUpdate) => update.ref.startsWith('refs/tags/');
  const tooManyTags = push.updates.filter(isTag).length > 3;
  const updates = push.updates.filter((update) => !(tooManyTags && isTag(update)));
  return Promise.all(updates.map((update) => readUpdate(push, update, options)));
}

async function readUpdate(
  push: Push,
  update: RefUpdate,
  options: { commitCap: number; htmlUrl: string },
): Promise<PushFacts> {
  const { directory } = push;
  const { ref, before, after } = update;
  const head = after === undefined ? undefined : await peelToCommit(directory, after);
  const isNew = await listNewCommits(push, head, options.commitCap);
  const listed = await listPushedCommits(push, update, head, { ...options, isNew });
  const described = await describeCommits(directory, [...listed, ...(head ? [head] : [])], {
    htmlUrl: options.htmlUrl,
    isNew,
  });
  return {
    ref,
    before: before ?? ZERO,
    after: after ?? ZERO,
    created: before === undefined,
    deleted: after === undefined,
    forced: await isForced(directory, update),
    base_ref: baseRef(push, update, head),
    compare: compareUrl(options.htmlUrl, update),
    commits: listed.map((sha) => described.get(sha) ?? null),
    head_commit: (head === undefined ? undefined : described.get(head)) ?? null,
  };
}

/** The commits that no ref held before the push: those that GitHub calls distinct. */
async function listNewCommits(
  push: Push,
  head: string | undefined,
  cap: number,
): Promise<Set<string>> {
  if (head === undefined) return new Set();
  const known = [...push.refsBefore.values()].map((sha) => `^${sha}`);
  return new Set(await listRevisions(push.directory, [head, ...known], cap));
}

/** A new ref lists what no other ref held; an old one all between where it was and where it is; a tag nothing. */
async function listPushedCommits(
  push: Push,
  { ref, before }: RefUpdate,
  head: string | undefined,
  options: { commitCap: number; isNew: Set<string> },
): Promise<string[]> {
  if (head === undefined || ref.startsWith('refs/tags/')) return [];
  const commits =
    before === undefined
      ? [...options.isNew]
      : await listRevisions(push.directory, [head, `^${before}`], options.commitCap);
  return commits.toReversed();
}

async function listRevisions(
  directory: string,
  revisions: string[],
  cap: number,
): Promise<string[]> {
  const output = await git({
    directory,
    args: ['rev-list', '--topo-order', `--max-count=${cap}`, '--stdin'],
    input: `${revisions.join('\n')}\n`,
  });
  return output === '' ? [] : output.split('\n');
}

async function describeCommits(
  directory: string,
  shas: string[],
  options: { htmlUrl: string; isNew: Set<string> },
): Promise<Map<string, JsonObject>> {
  if (shas.length === 0) return new Map();
  const unique = [...new Set(shas)];
  const input = `${unique.join('\n')}\n`;
  const fields = ['%H', '%T', '%an', '%ae', '%cn', '%ce', '%cI', '%B'];
  const [log, changes] = await Promise.all([
    git({
      directory,
      args: ['log', '-z', '--no-walk=unsorted', `--format=${fields.join('%x00')}`, '--stdin'],
      input,
    }),
    git({
      directory,
      args: ['diff-tree', '--stdin', ...LIST_FILES],
      input,
    }),
  ]);
  const files = readChanges(changes);
  const values = log.split('\0');
  return new Map(
    unique.map((_, index) => {
      const [sha = '', tree = '', author, authorMail, committer, committerMail, at, message] =
        values.slice(index * fields.length, (index + 1) * fields.length);
      return [
        sha,
        {
          id: sha,
          tree_id: tree,
          distinct: options.isNew.has(sha),
          message: (message ?? '').trimEnd(),
          timestamp: at ?? '',
          url: `${options.htmlUrl}/commit/${sha}`,
          author: { name: author ?? '', email: authorMail ?? '' },
          committer: { name: committer ?? '', email: committerMail ?? '' },
          ...(files.get(sha) ?? { added: [], removed: [], modified: [] }),
        },
      ];
    }),
  );
}

/** Reads `git diff-tree --stdin -z --name-status`: a commit, then pairs of a letter and a path. */
function readChanges(
  output: string,
): Map<string, { added: string[]; removed: string[]; modified: string[] }> {
  const changes = new Map<string, { added: string[]; removed: string[]; modified: string[] }>();
  const tokens = output.split('\0');
  let current = { added: [] as string[], removed: [] as string[], modified: [] as string[] };
  for (let index = 0; index < tokens.length; index += 1) {
    const token = tokens[index] ?? '';
    if (/^[0-9a-f]{40}$/.test(token)) {
      current = { added: [], removed: [], modified: [] };
      changes.set(token, current);
    } else if (token !== '') {
      index += 1;
      const kind = token === 'A' ? 'added' : token === 'D' ? 'removed' : 'modified';
      current[kind].push(tokens[index] ?? '');
    }
  }
  return changes;
}

async function isForced(directory: string, { before, after }: RefUpdate): Promise<boolean> {
  if (before === undefined || after === undefined) return false;
  const isAncestor = git({ directory, args: ['merge-base', '--is-ancestor', before, after] });
  return isAncestor.then(
    () => false,
    () => true,
  );
}

/** The branch that a new ref started from: one that stands on the same commit. */
function baseRef(push: Push, update: RefUpdate, head: string | undefined): string | null {
  if (update.before !== undefined || head === undefined) return null;
  for (const [ref, sha] of push.refsAfter) {
    if (ref.startsWith('refs/heads/') && ref !== update.ref && sha === head) return ref;
  }
  return null;
}

function compareUrl(htmlUrl: string, { ref, before, after }: RefUpdate): string {
  const name = ref.replace(/^refs\/(?:heads|tags)\//, '');
  const short = (sha: string) => sha.slice(0, 12);
  if (before !== undefined && after !== undefined) {
    return `${htmlUrl}/compare/${short(before)}...${short(after)}`;
  }
  return `${htmlUrl}/compare/${encodeURIComponent(name)}`;
}

async function peelToCommit(directory: string, sha: string): Promise<string | undefined> {
  return git({ directory, args: ['rev-parse', '--verify', '--quiet', `${sha}^{commit}`] }).catch(
    () => undefined,
  );
}
