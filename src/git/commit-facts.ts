import type { MirrorGit } from './changed-paths.ts';

/** What git says of a commit, beside its files. */
export interface CommitFacts {
  message: string;
  /** ISO 8601, when it was committed. */
  committedAt: string;
  author: { name: string; email: string };
  committer: { name: string; email: string };
}

const SHOW = 'log --max-count=1 --no-show-signature --format=%an%x00%ae%x00%cn%x00%ce%x00%cI%x00%B';

/** Reads a commit that is in the mirror and whose name was checked. Bytes that are no UTF-8 become U+FFFD. */
export async function readCommit(git: MirrorGit, sha: string): Promise<CommitFacts> {
  const { stdout } = await git([...SHOW.split(' '), '--end-of-options', sha]);
  const [author = '', authorMail = '', committer = '', committerMail = '', at = '', ...message] =
    stdout.toString().split('\0');
  return {
    message: message.join('\0').trimEnd(),
    committedAt: at,
    author: { name: author, email: authorMail },
    committer: { name: committer, email: committerMail },
  };
}
