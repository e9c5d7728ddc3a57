import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { git } from '../../demo/git.ts';
import { startGitServer, type ApiAnswer } from '../git/git-server.ts';

/** A request to the API of a git host. */
export interface ApiRequest {
  path: string;
  authorization: string | undefined;
  body: Record<string, unknown>;
}

/** A git server with an API beside it, as GitLab, Bitbucket and Gitea are; git and the API ask for the token. */
export interface GitHost {
  url: string;
  /** What the API was asked, oldest first. */
  asked: ApiRequest[];
  /** Commits to a branch of the repository, and answers where that was and is. */
  commit(message: string, branch?: string): Promise<{ before: string; after: string }>;
  tag(name: string): Promise<string>;
  close(): Promise<void>;
}

/** With one repository at `path`. `api` answers requests that are not git's, as the server's documentation says. */
export async function startGitHost(options: {
  path: string;
  gitUser: string;
  token: string;
  api: (request: ApiRequest) => ApiAnswer;
}): Promise<GitHost> {
  const root = await mkdtemp(join(tmpdir(), 'mainsheet-host-'));
  const bare = join(root, 'served', `${options.path}.git`);
  const author = join(root, 'author');
  await mkdir(dirname(bare), { recursive: true });
  await git({
    directory: root,
    args: ['init', '--quiet', '--bare', '--initial-branch=main', bare],
  });
  await git({ directory: root, args: ['clone', '--quiet', bare, author] });
  const inAuthor = (...args: string[]) => git({ directory: author, args });
  const server = await startGitServer(join(root, 'served'));
  server.requireAuth(options.gitUser, options.token);
  const asked: ApiRequest[] = [];
  server.api = async (request) => {
    const path = request.url ?? '';
    if (request.method !== 'POST' || path.includes('.git/')) return undefined;
    const { authorization } = request.headers;
    const one = { path, authorization, body: await bodyOf(request) };
    asked.push(one);
    return options.api(one);
  };
  let number = 0;
  return {
    url: server.url,
    asked,
    async commit(message, branch = 'main') {
      const before = await inAuthor(
        'rev-parse',
        '--verify',
        '--quiet',
        `refs/heads/${branch}`,
      ).catch(() => '0'.repeat(40));
      await writeFile(join(author, 'file'), String((number += 1)));
      await inAuthor('add', '--all');
      await inAuthor('commit', '--quiet', `--message=${message}`);
      await inAuthor('push', '--quiet', bare, `HEAD:refs/heads/${branch}`);
      return { before, after: await inAuthor('rev-parse', 'HEAD') };
    },
    async tag(name) {
      await inAuthor('tag', '--annotate', '--message=tag', name);
      await inAuthor('push', '--quiet', bare, `refs/tags/${name}`);
      return await inAuthor('rev-parse', name);
    },
    async close() {
      await server.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return JSON.parse(text) as Record<string, unknown>;
}
