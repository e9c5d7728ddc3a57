/** Part of a history: the commits that lead to one, down to another that is not in it. */
export interface CommitGraph {
  has(sha: string): boolean;
  /** Whether `from` is `to` or has it in its history; undefined where this part of the history does not tell. */
  leadsTo(from: string, to: string): boolean | undefined;
}

/** The graph of no commits. */
export const NO_GRAPH: CommitGraph = { has: () => false, leadsTo: () => undefined };

interface Commit {
  /** A commit comes before all that are in its history. */
  place: number;
  parents: readonly string[];
}

/**
 * Reads `rev-list --topo-order --parents HEAD ^below`, or the `most` commits that it begins with. What is not in the list and leads
 * to a commit in it would be in the list, so within it nothing is left open.
 */
export function readGraph(text: string, below: string, most: number): CommitGraph {
  const commits = new Map<string, Commit>();
  for (const line of text.split('\n')) {
    const [sha = '', ...parents] = line.split(' ');
    if (sha !== '') commits.set(sha, { place: commits.size, parents });
  }

  function leadsTo(from: string, to: string): boolean | undefined {
    if (from === to) return true;
    // It comes after all of a list that was not cut off.
    const isEnd = to === below && commits.size < most;
    const goal = isEnd ? { place: commits.size } : commits.get(to);
    if (goal === undefined) return undefined;
    // The history of `below` has none of these commits.
    if (from === below) return false;
    const start = commits.get(from);
    if (start === undefined) return undefined;
    // The list is that one's history.
    if (start.place === 0 && !isEnd) return true;
    const seen = new Set<string>();
    const ahead = [from];
    for (let sha = ahead.pop(); sha !== undefined; sha = ahead.pop()) {
      const at = commits.get(sha);
      if (at === undefined || seen.has(sha) || at.place >= goal.place) continue;
      if (at.parents.includes(to)) return true;
      seen.add(sha);
      ahead.push(...at.parents);
    }
    return false;
  }

  return { has: (sha) => commits.has(sha), leadsTo };
}
