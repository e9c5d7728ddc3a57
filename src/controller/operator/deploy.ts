import type { Broadcast } from '../../lib/broadcast.ts';
import type { Clock } from '../../lib/clock.ts';
import { RetryableError, TerminalError } from '../../lib/errors.ts';
import { newId } from '../../lib/ids.ts';
import type { Revision } from '../../git/find-revision.ts';
import type { Mirrors } from '../../git/mirrors.ts';
import type { DeploymentSpec, LoadedSpec } from '../../model/deployment-spec.ts';
import type { News } from '../../model/news.ts';
import type { Run } from '../../model/run.ts';
import { planRun } from '../../runs/plan.ts';
import type { Transitions } from '../../runs/transition.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store, Tables } from '../../store/index.ts';
import { pushPayload } from '../push-payload.ts';
import { ownDelivery } from '../own-delivery.ts';
import { held } from '../../model/verdict.ts';

/** A deployment by hand waits for git at most this long. */
const GIT_MS = 5 * 60_000;
/** How often the revision is looked for again, because a run was made while git was asked. */
const MOST_LOOKS = 5;

/**
 * Deploys a commit by hand, with the spec as it is now and whatever its triggers say: an operator's decision, so it may also
 * go back. Counts as the newest at the time it is asked for: it supersedes what waits, waits its turn in its lane and
 * behind pauses, and what is pushed later supersedes it. `revision` is what `Mirrors.findRevision` takes; undefined: where
 * the one branch is that the spec's triggers name. Throws TerminalError `spec-unknown`, `revision-missing`, and as git does.
 */
export type Deploy = (spec: string, revision: string | undefined, actor: string) => Promise<Run>;

export function createDeploy(deps: {
  store: Store;
  catalog: Pick<Catalog, 'byName'>;
  mirrors: Pick<Mirrors, 'findRevision' | 'commit'>;
  transitions: Transitions;
  clock: Clock;
  news: Broadcast<News>;
}): Deploy {
  const { store, transitions, clock, news } = deps;

  /** The run and its delivery; undefined when another run of the spec is there that is newer than `newest`. */
  async function make(
    tables: Tables,
    request: { loaded: LoadedSpec; found: Revision; payload: object; said: string; actor: string },
    newest: string | undefined,
  ): Promise<Run[] | undefined> {
    const { loaded, found, payload, said, actor } = request;
    const { spec } = loaded;
    const { repository } = spec;
    await tables.pauses.lock('to make runs');
    await tables.runs.lockLane(spec.concurrency.lane);
    if ((await newestRun(tables, spec.name)) !== newest) return undefined;

    const now = clock.now();
    const id = newId(now);
    const delivery = `deploy-${id}`;
    const event = { kind: 'deploy', repository, ref: found.ref } as const;
    const planned = planRun({ delivery, cause: 'deploy', event, sha: found.sha }, loaded, id, now);
    const own = { id: delivery, event: 'deploy', repository };
    await tables.inbox.store([ownDelivery(own, payload, now)]);
    const changed = await transitions.create(tables, { ...planned, reason: said }, loaded);
    const verdict = held('deploy', said);
    const outcome = { summary: said, specs: [{ spec: spec.name, verdict, run: id }] };
    await tables.inbox.close(delivery, 'processed', outcome, now);
    const detail = `made run ${id}: ${said}`;
    await tables.audit.record({
      at: now,
      actor,
      action: 'spec.deploy',
      subject: spec.name,
      repository,
      detail,
    });
    return changed;
  }

  async function deploy(loaded: LoadedSpec, name: string, actor: string): Promise<Run[]> {
    const { spec } = loaded;
    const { repository } = spec;
    const signal = AbortSignal.timeout(GIT_MS);
    const branch = branchOf(spec);
    const prefer = branch === undefined ? undefined : `refs/heads/${branch}`;
    for (let look = 0; look < MOST_LOOKS; look += 1) {
      // A push that comes while git is asked may have the newer commit of the branch.
      const newest = await newestRun(store, spec.name);
      const found = await deps.mirrors.findRevision(repository, name, { prefer, signal });
      const facts = await deps.mirrors.commit(repository, found.sha, { signal });
      const move = { repository, ref: found.ref, before: found.sha, after: found.sha, since: 0 };
      const payload = { ...pushPayload(move, facts, false), sender: { login: actor } };
      const said = `Deploy of ${nameOf(found)} by ${actor}`;
      const request = { loaded, found, payload, said, actor };
      const changed = await store.atomically((tables) => make(tables, request, newest));
      if (changed !== undefined) return changed;
    }
    throw new RetryableError(
      'deploy-overtaken',
      `runs of ${spec.name} are being made all the time`,
    );
  }

  return async (name, revision, actor) => {
    const loaded = deps.catalog.byName(name);
    if (loaded === undefined) {
      throw new TerminalError('spec-unknown', `there is no deployment spec ${name}`, {
        hint: '"mainsheet specs" lists them',
      });
    }
    if (loaded.spec.on.pullRequest !== undefined) {
      throw new TerminalError(
        'revision-missing',
        `${name} deploys pull requests, and nothing by hand`,
        { hint: 'push to the pull request, or replay its delivery' },
      );
    }
    const wanted = revision ?? branchOf(loaded.spec);
    if (wanted === undefined) {
      throw new TerminalError(
        'revision-missing',
        `the triggers of ${name} do not name one branch, so what to deploy has to be said`,
        { hint: `mainsheet deploy ${name} <branch, tag or commit>` },
      );
    }
    const changed = await deploy(loaded, wanted, actor);
    const [run] = changed;
    if (run === undefined) throw new TerminalError('run-lost', 'the run could not be made');
    for (const one of changed) transitions.announce(one);
    news.publish({ kind: 'delivery', delivery: run.delivery, repository: run.repository });
    return run;
  };
}

async function newestRun(tables: Pick<Tables, 'runs'>, spec: string): Promise<string | undefined> {
  const { items } = await tables.runs.list({ limit: 1, before: undefined }, { spec });
  return items[0]?.id;
}

/** The one branch that the triggers name, without a pattern. */
function branchOf({ on }: DeploymentSpec): string | undefined {
  const patterns = [...(on.push?.branches ?? []), ...(on.workflowRun?.branches ?? [])];
  const [only, ...others] = new Set(patterns);
  return only !== undefined && others.length === 0 && /^[\w./-]+$/.test(only) ? only : undefined;
}

/** `main at 0123456`; a reason has room for 500 characters. */
function nameOf({ ref, sha }: Revision): string {
  return `${ref.replace(/^refs\/(?:heads|tags)\//, '').slice(0, 200)} at ${sha.slice(0, 7)}`;
}
