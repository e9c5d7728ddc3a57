import { elsewhere, isRepository } from '../../lib/names.ts';
import type { GitServers } from '../../lib/servers.ts';

/** What is asked about. A repository that is not named is looked for. */
export type Question =
  | { kind: 'run'; run: string }
  | { kind: 'commit'; sha: string; repository: string | undefined }
  | { kind: 'pull'; number: number; repository: string | undefined };

/** Where addresses of commits and pull requests lead. */
interface AskedServers {
  /** Of GitHub, without a slash at the end. */
  githubUrl: string;
  servers?: GitServers | undefined;
}

const LONGEST = 500;
/** As `newId` makes them. Git's names have no "k", which all of this time have. */
const RUN = /^[0-9a-hjkmnp-tv-z]{26}$/;
const SHA = /^[0-9a-f]{7,64}$/;
/** More digits may be a commit. */
const NUMBER = /^#?(\d{1,6})$/;
const PULL = /^(.+)#(\d{1,9})$/;
const COMMIT = /^(.+)@([0-9a-fA-F]{7,64})$/;
/** Behind a repository's own address: GitHub and Gitea, GitLab, Bitbucket. */
const COMMIT_PATH = /^\/(?:-\/)?(?:commits?|pull\/\d+\/commits)\/([0-9a-fA-F]{7,64})(?:\/|$)/;
const PULL_PATH =
  /^\/(?:-\/)?(?:pull|pulls|merge_requests|pull-requests)\/(\d{1,9})(?:\/(?!commits\/)|$)/;

/**
 * What a person means who writes a commit (seven letters and more), a pull request (`12`, `owner/name#12`), a run's id, or the
 * address of one of these. Undefined for what is none. Pure.
 */
export function readQuestion(text: string, at: AskedServers): Question | undefined {
  const given = text.trim();
  if (given.length > LONGEST) return undefined;
  if (/^https?:\/\//i.test(given)) return readAddress(given, at);
  const number = NUMBER.exec(given)?.[1];
  if (number !== undefined) return pull(number, undefined);
  const sha = given.toLowerCase();
  if (SHA.test(sha)) return { kind: 'commit', sha, repository: undefined };
  const [, of = '', id] = PULL.exec(given) ?? [];
  if (id !== undefined) return isNamed(of) ? pull(id, of) : undefined;
  const [, repository = '', commit] = COMMIT.exec(given) ?? [];
  if (commit !== undefined && isNamed(repository)) {
    return { kind: 'commit', sha: commit.toLowerCase(), repository };
  }
  return /^[a-z0-9]{1,64}$/.test(given) ? { kind: 'run', run: given } : undefined;
}

function readAddress(text: string, at: AskedServers): Question | undefined {
  const url = URL.parse(text);
  if (url === null) return undefined;
  const path = url.pathname.replace(/\/+$/, '');
  for (const { name, url: home } of [
    { name: undefined, url: at.githubUrl },
    ...(at.servers?.values() ?? []),
  ]) {
    const found = readOn(name, home, url, path);
    if (found !== undefined) return found;
  }
  // A page of Mainsheet, wherever a proxy has it.
  const run = /\/runs\/([^/]+)$/.exec(path)?.[1];
  return run !== undefined && RUN.test(run) ? { kind: 'run', run } : undefined;
}

function readOn(
  server: string | undefined,
  home: string,
  url: URL,
  path: string,
): Question | undefined {
  const base = URL.parse(home);
  const root = base?.pathname.replace(/\/+$/, '') ?? '';
  if (base === null || base.host !== url.host || !path.startsWith(`${root}/`)) return undefined;
  const parts = path.slice(root.length + 1).split('/');
  for (let count = 2; count < parts.length; count += 1) {
    const own = parts.slice(0, count).join('/');
    const repository = server === undefined ? own : `${server}:${own}`;
    const rest = `/${parts.slice(count).join('/')}`;
    if (!isNamed(repository)) continue;
    const sha = COMMIT_PATH.exec(rest)?.[1]?.toLowerCase();
    if (sha !== undefined) return { kind: 'commit', sha, repository };
    const number = PULL_PATH.exec(rest)?.[1];
    if (number !== undefined) return pull(number, repository);
  }
  return undefined;
}

function pull(number: string, repository: string | undefined): Question {
  return { kind: 'pull', number: Number(number), repository };
}

const isNamed = (name: string) => isRepository(name) || elsewhere(name) !== undefined;
