import { MainsheetError } from '../../lib/errors.ts';
import type { People } from '../../github/people.ts';
import { createFairTurn } from '../../lib/fair-turn.ts';
import type { Json } from '../../model/event.ts';
import { nameOf, type ApproveGate } from '../../model/gate.ts';
import type { Run } from '../../model/run.ts';
import type { Store } from '../../store/index.ts';
import type { Approvers, Person } from './gates.ts';
import { valueAt } from '../../lib/json.ts';

/** Runs that have led to one, the nearest first: a batch may have gathered what a thousand started. */
const MOST_LEADING = 5000;

/**
 * Who may answer to which gates of a run. GitHub is asked only about teams, and about the authors of a commit where they do
 * not count. Without credentials for GitHub the authors are those that the event names.
 */
export function createApprovers(deps: {
  store: Pick<Store, 'batches' | 'chains' | 'inbox' | 'runs'>;
  people: Pick<People, 'isMember' | 'committers'>;
}): Approvers {
  const { store, people } = deps;

  async function isAmong({ from }: ApproveGate, run: Run, by: Person): Promise<boolean> {
    if ('administrator' in by || from.length === 0) return true;
    const { login } = by;
    if (from.some((one) => one.toLowerCase() === login.toLowerCase())) return true;
    for (const one of from) {
      const [, org, slug] = /^team:([^/]+)\/(.+)$/.exec(one) ?? [];
      if (org === undefined || slug === undefined) continue;
      if (await people.isMember(run.repository, { org, slug }, login)) return true;
    }
    return false;
  }

  /** In small letters: those who made the commits, sent the events, or asked for the run or for one that has led to it. */
  async function authorsOf(run: Run): Promise<ReadonlySet<string>> {
    const names = [...(await committersOf(run))];
    const fairTurn = createFairTurn();
    const leading = new Map([[run.id, run]]);
    // Those that are found on the way have their turn, too.
    for (const one of leading.values()) {
      names.push((await store.runs.askedBy(one.id)) ?? '');
      for (const id of await deliveriesOf(one)) {
        await fairTurn();
        const delivery = await store.inbox.get(id);
        names.push(...namedIn(JSON.parse(delivery?.payload || '{}') as Json));
        const chain = await store.chains.ofDelivery(id);
        const before = chain && (await store.runs.get(chain.run));
        if (before !== undefined && leading.size < MOST_LEADING) leading.set(before.id, before);
      }
    }
    return new Set(names.map((name) => nameOf(name).toLowerCase()));
  }

  /** Of a batch all that it has gathered. */
  async function deliveriesOf({ delivery, batch }: Run): Promise<Iterable<string>> {
    const gathered = batch === undefined ? undefined : await store.batches.view(batch);
    return new Set([delivery, ...(gathered?.deliveries ?? [])]);
  }

  async function committersOf({ repository, sha }: Run): Promise<string[]> {
    try {
      return await people.committers(repository, sha);
    } catch (error) {
      if (error instanceof MainsheetError && error.code === 'github-not-configured') return [];
      throw error;
    }
  }

  return async (run, gates, by) => {
    const counted: number[] = [];
    const refusals: string[] = [];
    const name = nameOf('login' in by ? by.login : by.administrator).toLowerCase();
    for (const [position, gate] of gates.entries()) {
      if (gate.kind !== 'approve') continue;
      if (!(await isAmong(gate, run, by))) {
        refusals.push(`it is for ${gate.from.join(', ')}`);
      } else if (gate.notAuthor && (await authorsOf(run)).has(name)) {
        refusals.push(
          'those who made the commits, sent the event or asked for the run do not count',
        );
      } else {
        counted.push(position);
      }
    }
    return { counted, refused: refusals.join('; ') };
  };
}

/** The users that a payload says to have made its commits, or to have sent it. */
function namedIn(payload: Json): string[] {
  const at = (from: unknown, ...path: string[]) => valueAt(from, path);
  const commits = at(payload, 'commits');
  const places = [
    at(payload, 'sender', 'login'),
    at(payload, 'pusher', 'name'),
    at(payload, 'release', 'author', 'login'),
    at(payload, 'deployment', 'creator', 'login'),
    at(payload, 'workflow_run', 'actor', 'login'),
    at(payload, 'workflow_run', 'triggering_actor', 'login'),
    ...[at(payload, 'head_commit'), ...(Array.isArray(commits) ? commits : [])].flatMap(
      (commit) => [at(commit, 'author', 'username'), at(commit, 'committer', 'username')],
    ),
  ];
  return places.filter((name) => typeof name === 'string');
}
