import type { Run } from '../../model/run.ts';
import type { Store } from '../../store/index.ts';

/** What people know a commit by, as the delivery that brought it tells. */
export interface CommitTitle {
  /** The first line of its message. */
  title: string;
  author: string | undefined;
}

/** So many commits are remembered. */
const MOST = 5000;

/** The titles of the commits that runs deploy, by the names of these or their beginnings. A delivery whose payload is gone has none any more, nor has a run by hand. */
export type Commits = (run: Pick<Run, 'sha' | 'delivery'>) => Promise<CommitTitle | undefined>;

export function createCommits(store: Pick<Store, 'inbox'>): Commits {
  const known = new Map<string, CommitTitle | undefined>();
  return async ({ sha, delivery }) => {
    const key = `${delivery} ${sha}`;
    if (known.has(key)) return known.get(key);
    const found = await store.inbox.get(delivery);
    const title = found === undefined ? undefined : titleIn(found.payload, sha);
    if (known.size >= MOST) known.clear();
    known.set(key, title);
    return title;
  };
}

/** Everything in a payload is whatever the sender put there. */
function titleIn(payload: string, sha: string): CommitTitle | undefined {
  const body = field(parse(payload), undefined);
  const commits = body?.['commits'];
  const candidates = [
    body?.['head_commit'],
    ...(Array.isArray(commits) ? commits : []),
    field(body?.['workflow_run'], undefined)?.['head_commit'],
  ];
  for (const candidate of candidates) {
    const commit = field(candidate, sha);
    const title = text(commit?.['message'])?.split('\n', 1)[0]?.trim().slice(0, 200);
    if (title === undefined || title === '') continue;
    const author = field(commit?.['author'], undefined);
    const name = text(author?.['username']) ?? text(author?.['name']);
    return { title, author: name?.slice(0, 100) };
  }
  const release = field(body?.['release'], undefined);
  const title = text(release?.['name']) ?? text(release?.['tag_name']);
  if (title === undefined || title === '') return undefined;
  const author = text(field(release?.['author'], undefined)?.['login']);
  return { title: title.slice(0, 200), author: author?.slice(0, 100) };
}

function parse(payload: string): unknown {
  try {
    return JSON.parse(payload);
  } catch {
    return undefined;
  }
}

/** An object, and with `id` only one whose own begins so. */
function field(value: unknown, id: string | undefined): Record<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const own = text((value as { id?: unknown }).id);
  return id === undefined || own?.startsWith(id) === true
    ? (value as Record<string, unknown>)
    : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
