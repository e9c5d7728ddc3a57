import { plain } from '../../callbacks/check-output.ts';
import { toEntry } from '../../callbacks/index.ts';
import type { ReplyCallback } from '../../callbacks/reply.ts';
import type { MayDo } from '../../github/may-do.ts';
import type { ReadPullRequest } from '../../github/pull-requests.ts';
import type { Clock } from '../../lib/clock.ts';
import { RetryableError, TerminalError } from '../../lib/errors.ts';
import type { Delivery } from '../../model/delivery.ts';
import type { DeploymentSpec } from '../../model/deployment-spec.ts';
import { isFrom, type CommentEvent, type Renamed } from '../../model/event.ts';
import { hasEnded, type Run } from '../../model/run.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store, Tables } from '../../store/index.ts';
import type { Deploy } from './deploy.ts';
import type { Gates } from './gates.ts';
import type { Operate } from './operate.ts';
import type { AskWhy } from './why.ts';

/** Does what commands in comments on pull requests and commits ask for. */
export type Commented = (
  delivery: Pick<Delivery, 'id' | 'attempts' | 'receivedAt'>,
  event: CommentEvent & Renamed,
) => Promise<{ summary: string; specs: [] }>;

/** Runs of one commit that are looked at. */
const MOST_RUNS = 200;
const LONGEST_DETAIL = 500;
/** GitHub's clock and this one may be apart by so much. */
const CLOCKS_MS = 60_000;

/**
 * Does it once, in the transaction that closes the delivery and puts the answer into the outbox. Who wrote is looked up at GitHub and
 * needs the permission to write (G12); what is refused lands in the audit table and in the answer, and nowhere else. Only specs with
 * `comments: true` are spoken of. Throws RetryableError while GitHub or git cannot be asked.
 */
export function createCommented(deps: {
  store: Store;
  catalog: Pick<Catalog, 'forRepository'>;
  /** Each on a store of which a transaction may do more than they know of. */
  operateOn: (store: Store) => Pick<Operate, 'retry' | 'rollbackSpec'>;
  gatesOn: (store: Store) => Pick<Gates, 'approve'>;
  deployOn: (store: Store) => Deploy;
  why: AskWhy;
  pullRequest: ReadPullRequest;
  mayDo: MayDo;
  clock: Clock;
}): Commented {
  const { store, clock } = deps;

  return async (delivery, event) => {
    const { command, repository, on } = event;
    const actor = `github:${event.by.toLowerCase()}`;
    const specs = [repository, ...(event.formerly ?? [])]
      .flatMap((name) => deps.catalog.forRepository(name))
      .map(({ spec }) => spec)
      .filter(({ comments }) => comments);

    /** The answer goes with a run: the one that came of it, or the newest there is. Without one the delivery alone has it. */
    async function close(
      tables: Tables,
      told: { reaction: ReplyCallback['reaction']; text: string; summary: string },
      run: string | undefined,
    ): Promise<void> {
      const { reaction, text, summary } = told;
      const carrier = run ?? (await newestRun(tables));
      if (carrier !== undefined && specs.length > 0) {
        const { comment } = event;
        const callback: ReplyCallback = {
          kind: 'reply',
          repository,
          ...on,
          comment,
          reaction,
          text,
        };
        await tables.outbox.add(carrier, [toEntry(callback)], clock.now());
      }
      const outcome = { summary, specs: [] };
      if (
        await tables.inbox.close(delivery.id, 'processed', outcome, clock.now(), delivery.attempts)
      )
        return;
      throw new RetryableError('delivery-lost', 'another process has taken the delivery');
    }

    async function newestRun({ runs }: Pick<Tables, 'runs'>): Promise<string | undefined> {
      const found = await Promise.all(
        specs.map(({ name }) => runs.list({ limit: 1, before: undefined }, { spec: name })),
      );
      return found
        .flatMap(({ items }) => items.map(({ id }) => id))
        .toSorted()
        .at(-1);
    }

    /** The store, each transaction of which that came to something closes the delivery too. */
    function closing(said: string): Store {
      return {
        ...store,
        atomically: (work) =>
          store.atomically(async (tables) => {
            const result = await work(tables);
            const run = firstRun(result);
            if (run === undefined) return result;
            const detail = command.reason === undefined ? said : `${said}: ${command.reason}`;
            const action = `comment.${command.name}`;
            await tables.audit.record({ at: clock.now(), actor, action, subject: run.id, detail });
            const summary = `@${event.by} asked to ${detail}: run ${run.id}`;
            const text = `Done: ${plain(`${detail}. Run ${run.id} is ${run.state}. ${run.reason}`)}`;
            await close(tables, { reaction: '+1', text, summary }, run.id);
            return result;
          }),
      };
    }

    async function refuse(why: string, isRecorded: boolean): Promise<string> {
      const summary = `Not done: ${why}`;
      await store.atomically(async (tables) => {
        if (!isRecorded) {
          const action = `comment.${command.name}.refused`;
          const subject = `${repository}${'pull' in on ? `#${on.pull}` : `@${on.commit}`}`;
          const detail = why.slice(0, LONGEST_DETAIL);
          await tables.audit.record({ at: clock.now(), actor, action, subject, detail });
        }
        await close(tables, { reaction: 'confused', text: plain(summary), summary }, undefined);
      });
      return summary;
    }

    async function commits(): Promise<string[]> {
      if ('commit' in on) return [on.commit];
      const { head, merged } = await deps.pullRequest(repository, on.pull);
      return merged === undefined ? [head] : [merged, head];
    }

    /** The one spec's newest run of these commits that `fits`. */
    async function theRun(fits: (run: Run) => boolean, what: string): Promise<Run> {
      const names = new Set(aimedAt(specs, command.target).map(({ name }) => name));
      const newest = new Map<string, Run>();
      for (const sha of await commits()) {
        const { items } = await store.runs.list({ limit: MOST_RUNS, before: undefined }, { sha });
        for (const run of items) {
          const isOwn = isFrom(event, run.repository) && names.has(run.spec);
          if (isOwn && !newest.has(run.spec)) newest.set(run.spec, run);
        }
      }
      const found = [...newest.values()].filter(fits);
      const [only, ...others] = found;
      if (only !== undefined && others.length === 0) return only;
      const which =
        only === undefined ? 'no run' : `runs of ${found.map(({ spec }) => spec).join(', ')}`;
      const here = 'pull' in on ? 'pull request' : 'commit';
      throw new TerminalError('no-such-run', `this ${here} has ${which} that ${what}`);
    }

    async function act(): Promise<string> {
      const { name, target, revision } = command;
      if (name === 'explain') return await explain();
      if (name === 'retry') {
        const run = await theRun(({ state }) => hasEnded(state), 'has ended');
        const said = `retry run ${run.id}`;
        await deps.operateOn(closing(said)).retry(run.id, actor);
        return said;
      }
      if (name === 'approve') {
        const run = await theRun(({ state }) => state === 'blocked', 'waits for approval');
        const said = `approve run ${run.id}`;
        // A delivery that was missed comes long after.
        const askedAt = Math.min(delivery.receivedAt, event.writtenAt + CLOCKS_MS);
        await deps.gatesOn(closing(said)).approve(run.id, { login: event.by }, '', askedAt);
        return said;
      }
      const spec = theSpec(specs, target);
      if (name === 'rollback') {
        const said = `roll back ${spec.name}`;
        await deps
          .operateOn(closing(said))
          .rollbackSpec(spec.name, actor, { reason: command.reason });
        return said;
      }
      const [newest] = revision === undefined ? await commits() : [revision];
      const said = `deploy ${newest?.slice(0, 7)} with ${spec.name}`;
      await deps.deployOn(closing(said))(spec.name, newest, actor);
      return said;
    }

    async function explain(): Promise<string> {
      const names = new Set(aimedAt(specs, command.target).map(({ name }) => name));
      const lines: string[] = [];
      for (const sha of await commits()) {
        for (const { spec, summary, hint } of await deps.why(repository, sha)) {
          if (!names.has(spec)) continue;
          const more = hint === undefined ? '' : ` (${hint})`;
          lines.push(`- ${plain(`${sha.slice(0, 7)}, ${spec}: ${summary}${more}`)}`);
        }
      }
      const said = 'explain';
      const text = lines.slice(0, 100).join('\n');
      await store.atomically((tables) =>
        close(
          tables,
          { reaction: '+1', text, summary: `@${event.by} asked to ${said}` },
          undefined,
        ),
      );
      return said;
    }

    async function answer(): Promise<string> {
      if (specs.length === 0) {
        const summary = `Not done: no deployment spec of ${repository} says comments: true`;
        await store.atomically((tables) =>
          close(tables, { reaction: 'confused', text: '', summary }, undefined),
        );
        return summary;
      }
      if (event.isEdited) {
        return await refuse('a comment that was edited gives no command; write a new one', false);
      }
      const action = command.name === 'explain' ? 'deploy' : command.name;
      const permit = await deps.mayDo(repository, event.by, action);
      if (!permit.allowed) {
        const why = `${event.by} may not give commands: that needs the permission "${permit.needed}" on ${repository}, and GitHub says "${permit.permission}"`;
        return await refuse(why, false);
      }
      try {
        return `@${event.by} asked to ${await act()}`;
      } catch (error) {
        if (!(error instanceof TerminalError)) throw error;
        // The gates have written down themselves whom they refuse.
        return await refuse(error.message, error.code === 'not-an-approver');
      }
    }

    return { summary: await answer(), specs: [] };
  };
}

/** The specs of an environment, or of a name; all when nothing is named. */
function aimedAt(specs: readonly DeploymentSpec[], target: string | undefined): DeploymentSpec[] {
  return specs.filter(
    ({ name, environment }) => target === undefined || target === name || target === environment,
  );
}

function theSpec(specs: readonly DeploymentSpec[], target: string | undefined): DeploymentSpec {
  const found = aimedAt(specs, target);
  const [only, ...others] = found.length > 1 ? found.filter(({ name }) => name === target) : found;
  if (only !== undefined && others.length === 0) return only;
  const known = specs.map(({ name, environment }) => `${name} (${environment})`).join(', ');
  throw new TerminalError('spec-unknown', `"${target}" is not one of ${known}`);
}

/** What operators answer with: runs that have changed, the one that was asked for first. */
function firstRun(result: unknown): Run | undefined {
  const held = Array.isArray(result) ? result : (result as { runs?: unknown } | undefined)?.runs;
  return Array.isArray(held) ? (held[0] as Run | undefined) : undefined;
}
