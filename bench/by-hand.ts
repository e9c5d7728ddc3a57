import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Forge } from '../demo/forge.ts';
import { NEUTRAL_GIT } from '../demo/git.ts';
import { authorization } from '../demo/sample.ts';

/** A warm clone, and what one would type in it. This is the floor under Mainsheet's figures. */
export interface ByHand {
  /** `git fetch` and `git checkout` of a commit of the branch; resolves with the milliseconds. */
  fetchAndCheckOut(branch: string, sha: string): Promise<number>;
  /** The five git calls of a run (fetch, merge-base, checkout, clean, status) and a step that does nothing. */
  run(branch: string, sha: string): Promise<void>;
  close(): Promise<void>;
}

/** Clones the repository. */
export async function cloneByHand(
  forge: Pick<Forge, 'url' | 'token'>,
  repository: string,
): Promise<ByHand> {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-by-hand-'));
  const env = { ...NEUTRAL_GIT, ...authorization(forge) };
  const options = { cwd: directory, env, extendEnv: false, stdin: 'ignore' } as const;
  const git = async (...args: string[]) => await execa('git', args, options);
  await git('clone', '--quiet', `${forge.url}/${repository}.git`, '.');

  return {
    async fetchAndCheckOut(branch, sha) {
      const start = performance.now();
      await git('fetch', '--quiet', 'origin', branch);
      await git('checkout', '--quiet', '--force', '--detach', sha);
      return performance.now() - start;
    },
    async run(branch, sha) {
      await git('fetch', '--quiet', 'origin', branch);
      await git('merge-base', '--is-ancestor', 'HEAD', sha);
      await git('checkout', '--quiet', '--force', '--detach', sha);
      await git('clean', '--quiet', '-xffd');
      await git('status', '--porcelain');
      await execa('bash', ['-c', 'true'], options);
    },
    close: async () => await rm(directory, { recursive: true, force: true }),
  };
}
