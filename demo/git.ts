import { openGit } from '../src/git/own-git.ts';

/** Git as if freshly installed: none of the machine's configuration, no prompts, a fixed author. */
export const NEUTRAL_GIT = {
  PATH: process.env['PATH'] ?? '/usr/bin:/bin',
  HOME: '/nonexistent',
  LC_ALL: 'C',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_AUTHOR_NAME: 'Demo',
  GIT_AUTHOR_EMAIL: 'demo@example.com',
  GIT_COMMITTER_NAME: 'Demo',
  GIT_COMMITTER_EMAIL: 'demo@example.com',
} as const;

export interface GitCall {
  directory: string;
  args: readonly string[];
  input?: string;
  env?: Record<string, string>;
}

/** Runs git and returns its standard output, without the last line break. Rejects with git's words when it fails. */
export async function git({ directory, args, input, env }: GitCall): Promise<string> {
  const own = await openGit({ directory, env: { ...NEUTRAL_GIT, ...env }, input });
  return (await own.raw([...args])).replace(/\n$/, '');
}
