import { lstat } from 'node:fs/promises';
import { join } from 'node:path';

/** Facts that are kept at most, of each kind. The oldest go first. */
const MOST = 10_000;

/**
 * What git has said of commits and what stays true, so that it is not asked twice: which commits a mirror has, as nothing is ever
 * dropped from one, and what two commits have in common.
 */
export interface KnownFacts {
  /** Whether the mirror has the commit: `ask` is called when that is not known. Only a yes is kept. */
  has(mirror: string, sha: string, ask: () => Promise<boolean>): Promise<boolean>;
  /** The mirror has the commit. */
  note(mirror: string, sha: string): Promise<void>;
  /** The best common ancestor of two commits: `ask` is called when it is not known. */
  base(one: string, two: string, ask: () => Promise<string>): Promise<string>;
}

export function createKnownFacts(): KnownFacts {
  const commits = new Map<string, true>();
  const bases = new Map<string, string>();

  return {
    async has(mirror, sha, ask) {
      const key = await keyOf(mirror, sha);
      if (key !== undefined && commits.has(key)) return true;
      const there = await ask();
      if (there && key !== undefined) keep(commits, key, true);
      return there;
    },

    async note(mirror, sha) {
      const key = await keyOf(mirror, sha);
      if (key !== undefined) keep(commits, key, true);
    },

    async base(one, two, ask) {
      const key = [one, two].toSorted().join(' ');
      const base = bases.get(key) ?? (await ask());
      keep(bases, key, base);
      return base;
    },
  };
}

/** Another one when the mirror was made again in the same place, by us or beside us. Undefined without a mirror. */
async function keyOf(mirror: string, sha: string): Promise<string | undefined> {
  const status = await lstat(join(mirror, 'objects')).catch(() => undefined);
  return status && `${status.dev}:${status.ino}:${status.birthtimeMs} ${sha}`;
}

function keep<Value>(facts: Map<string, Value>, key: string, value: Value): void {
  facts.set(key, value);
  const [oldest] = facts.keys();
  if (facts.size > MOST && oldest !== undefined) facts.delete(oldest);
}
