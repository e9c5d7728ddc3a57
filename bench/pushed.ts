import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { git } from '../demo/git.ts';
import { startGitServer } from '../test/git/git-server.ts';
import { PUSHED_EACH, REPOSITORY } from './loader.ts';
import { startServe, TOKEN, type Serve } from './serve.ts';

const BRANCH = 'main';
const SPEC = 'paused';
/** So many requests are built for each second. */
const MOST_RATE = 5000;

/**
 * `mainsheet serve` beside a git server, with one more spec: each tenth push is of a branch that it deploys, in a lane that is paused.
 * `seconds`: how long it is loaded in all. The branch has all commits of a load when that begins, as where pushes come faster than they are read.
 */
export async function startPushed(name: string, label: string, seconds: number): Promise<Serve> {
  const root = mkdtempSync(join(tmpdir(), 'bench-'));
  const commits = await importCommits(
    root,
    Math.ceil((seconds * MOST_RATE) / PUSHED_EACH) + seconds,
  );
  const server = await startGitServer(root);
  const serve = await startServe(name, label, {
    specs:
      `name: ${SPEC}\nrepository: ${REPOSITORY}\n` +
      `on: { push: { branches: [${BRANCH}] } }\nsteps: [{ run: "true" }]\n`,
    env: { GITHUB_SERVER_URL: server.url },
  });
  const paused = await fetch(new URL(`/api/v1/specs/${SPEC}/pause`, serve.url), {
    method: 'POST',
    headers: { Authorization: `Bearer ${TOKEN}` },
  });
  if (!paused.ok) throw new Error(`the spec could not be paused: ${paused.status}`);
  let next = 0;
  return {
    ...serve,
    more(of) {
      const requests = of * MOST_RATE;
      const first = next;
      next += Math.ceil(requests / PUSHED_EACH);
      execFileSync('git', ['update-ref', `refs/heads/${BRANCH}`, commits[next] ?? ''], {
        cwd: join(root, `${REPOSITORY}.git`),
      });
      return { requests, pushed: { branch: BRANCH, commits: commits.slice(first, next + 1) } };
    },
    async remove() {
      await serve.remove();
      await server.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** A repository that has so many commits, one on the other, and no branch yet. Their names, oldest first. */
async function importCommits(root: string, count: number): Promise<string[]> {
  const directory = join(root, `${REPOSITORY}.git`);
  mkdirSync(directory, { recursive: true });
  await git({ directory, args: ['init', '--quiet', '--bare', `--initial-branch=${BRANCH}`] });
  const marks = join(root, 'marks');
  const child = spawn('git', ['fast-import', '--quiet', `--export-marks=${marks}`], {
    cwd: directory,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const of = (number: number) =>
    `commit refs/all/${BRANCH}\nmark :${number + 1}\n` +
    `committer Ada <ada@example.com> ${1_760_000_000 + number} +0000\ndata 8\nA change\n` +
    `M 100644 inline src/index.ts\ndata ${String(number).length}\n${number}\n`;
  child.stdin.end(Array.from({ length: count }, (_, number) => of(number)).join(''));
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error('git fast-import failed');
  const shas: string[] = [];
  for (const line of readFileSync(marks, 'utf8').trim().split('\n')) {
    const [mark = '', sha = ''] = line.split(' ');
    shas[Number(mark.slice(1)) - 1] = sha;
  }
  return shas;
}
