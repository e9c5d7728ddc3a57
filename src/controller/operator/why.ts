import { isoTime } from '../../lib/clock.ts';
import { checkRepository } from '../../lib/names.ts';
import { TerminalError } from '../../lib/errors.ts';
import type { Json } from '../../model/event.ts';
import type { DeliveryOutcome } from '../../model/delivery.ts';
import { hookEventName, hookOfEvent } from '../../model/hook.ts';
import { pullOf } from '../../model/preview.ts';
import { isProtection } from '../../model/protection.ts';
import { hasEnded, type Run } from '../../model/run.ts';
import type { Reason } from '../../model/verdict.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Chain } from '../../store/chains.ts';
import { saysOf, type Said } from '../../spec/says.ts';
import type { PastDelivery } from '../../store/past-deliveries.ts';
import type { Environment } from '../../store/environments.ts';
import type { Store } from '../../store/index.ts';
import { toEvent } from '../../sources/events.ts';

/** What became of a commit by one spec. */
export const FATES = [
  /** It is what is deployed. */
  'live',
  /** It was deployed, and something else since. */
  'replaced',
  /** A job of GitHub Actions may deploy it. */
  'let-go-on',
  /** Its run has not ended. */
  'waiting',
  'running',
  /** Its run ended otherwise. */
  'failed',
  'cancelled',
  'superseded',
  /** A condition of the spec did not hold. */
  'not-matched',
  /** It came together with a newer commit, and only the newest of a push is deployed. */
  'not-newest',
  /** A delivery named it and nothing came of that, or not yet. */
  'not-decided',
  /** No delivery that is kept has named it. */
  'never-heard-of',
] as const;

/** Why a commit was or was not deployed by a spec. */
export interface Why {
  spec: string;
  environment: string;
  fate: (typeof FATES)[number];
  /** One sentence. */
  summary: string;
  /** What to do about it, if there is anything. */
  hint: string | undefined;
  run: Run | undefined;
  /** The delivery that decided. */
  delivery: string | undefined;
  /** What it decided by. */
  reasons: readonly Reason[];
  /** What the spec says of its runs; nothing once it is gone. */
  says: readonly Said[];
}

/**
 * Every spec of a repository: why a commit was or was not deployed. `sha`: its name, or seven letters of it and more. Throws
 * TerminalError `bad-commit` and what `checkRepository` throws.
 */
export type AskWhy = (
  repository: string,
  sha: string,
  /** Of a repository that may not be seen there is no spec, as of one that is not there. Default: all may. */
  canSee?: (repository: string) => boolean,
) => Promise<Why[]>;

export function createWhy(deps: {
  store: Pick<
    Store,
    'pastDeliveries' | 'environments' | 'repositories' | 'chains' | 'inbox' | 'runs'
  >;
  catalog: Pick<Catalog, 'forRepository'>;
}): AskWhy {
  const { store, catalog } = deps;

  /** What the end of another spec's run means to a spec without a run of its own. */
  async function byChain(chain: Chain | undefined, sha: string): Promise<Found | undefined> {
    if (chain === undefined) return undefined;
    const { run, spec, state, dueAt, reason } = chain;
    const hint = byHand(spec, sha);
    if (state === 'waiting') {
      const summary = `Run ${run} starts it at ${isoTime(dueAt)}, if what it has deployed stays healthy`;
      return { ...NOTHING, fate: 'waiting', summary, hint };
    }
    if (state === 'skipped') {
      const summary = `Run ${run} was to start it, but ${reason}`;
      return { ...NOTHING, fate: 'not-matched', summary, hint };
    }
    const { delivery } = (await store.inbox.get(chain.delivery ?? '')) ?? {};
    if (delivery === undefined) return undefined;
    const decided = delivery.outcome?.specs.find((one) => one.spec === spec);
    const summary = `Run ${run} has started it: ${delivery.outcome?.summary ?? 'not processed yet'}`;
    const reasons = decided?.verdict.reasons ?? [];
    return { ...NOTHING, fate: 'not-decided', summary, hint, delivery: delivery.id, reasons };
  }

  /** Who has rolled back to what is deployed; undefined when it came otherwise. */
  async function backTo(place: Environment | undefined): Promise<string | undefined> {
    const run = place && (await store.runs.get(place.run));
    return run?.cause === 'rollback' ? await store.runs.askedBy(run.id) : undefined;
  }

  return async (repository, given, canSee) => {
    checkRepository(repository);
    const sha = given.toLowerCase();
    if (!/^[0-9a-f]{7,64}$/.test(sha)) {
      throw new TerminalError('bad-commit', `"${given}" is no name of a commit`, {
        hint: 'give all of it, or at least its first seven letters',
      });
    }
    if (canSee?.(repository) === false) return [];
    const names = [...new Set([repository, ...(await store.repositories.namesOf(repository))])];
    const [runs, environments] = await Promise.all([
      store.runs.ofCommit(names, sha),
      store.environments.list(),
    ]);
    const chains = await store.chains.ofRuns(runs.map(({ id }) => id));
    const specs = names.flatMap((name) => catalog.forRepository(name)).map(({ spec }) => spec);
    // They belong to no repository: only for those who may see such.
    const hooks = specs
      .flatMap(({ on }) => (on.hooks ?? []).map(({ id }) => hookEventName(id)))
      .filter((event) => canSee?.(event) ?? true);
    // They are many and large: only for a spec without a run.
    let looked: Promise<PastDelivery[]> | undefined;
    const deliveries = () =>
      (looked ??= store.pastDeliveries.naming(names, sha, [...new Set(hooks)]));
    const current = new Map(specs.map((spec) => [spec.name, spec.environment]));
    // A spec that is gone still answers for what it did.
    for (const run of runs) {
      if (!current.has(run.spec) || pullOf(run) !== undefined)
        current.set(run.spec, run.environment);
    }
    const answers = [...current].map(async ([spec, environment]) => {
      const own = runs.filter((run) => run.spec === spec && run.event !== 'teardown');
      const place = environments.find(
        (one) => one.spec === spec && one.environment === environment,
      );
      const [jobs, deployed] = [own.filter(isProtection), own.filter((run) => !isProtection(run))];
      const found =
        byRuns(deployed, place, await backTo(place)) ??
        byJob(jobs[0]) ??
        (await byChain(
          chains.findLast((chain) => chain.spec === spec),
          sha,
        )) ??
        (own.length > 0 ? undefined : byDeliveries(spec, sha, await deliveries())) ??
        unheard(spec, sha);
      const now = specs.find(({ name }) => name === spec);
      const said = now?.on.pullRequest === undefined ? found : notByHand(found);
      return { spec, environment, ...said, says: now === undefined ? [] : saysOf(now) };
    });
    return await Promise.all(answers);
  };
}

type Found = Omit<Why, 'spec' | 'environment' | 'says'>;
const NOTHING = { hint: undefined, run: undefined, delivery: undefined, reasons: [] };

/** What a run says of the commit. */
const toldBy =
  (run: Run) =>
  (fate: Why['fate'], summary: string, hint?: string): Found => {
    return { ...NOTHING, run, delivery: run.delivery, fate, summary, hint };
  };

/** What a job of Actions was answered that deploys the commit. */
function byJob(run: Run | undefined): Found | undefined {
  if (run === undefined) return undefined;
  const tell = toldBy(run);
  const job = 'A job of GitHub Actions';
  const by = `run ${run.id}: ${run.reason}`;
  if (run.state === 'succeeded') {
    const hint = 'GitHub shows what became of the job';
    return tell('let-go-on', `${job} was let go on to ${run.environment} by ${by}`, hint);
  }
  return hasEnded(run.state)
    ? tell('cancelled', `${job} was refused by ${by}`, 're-run the job on GitHub')
    : tell('waiting', `${job} waits for ${by}`, whatBlocks(run));
}

/** By its newest run that has deployed it or may still do so; else by the newest. */
function byRuns(
  runs: readonly Run[],
  place: Environment | undefined,
  backBy: string | undefined,
): Found | undefined {
  const run = runs.find(({ state }) => state === 'succeeded' || !hasEnded(state)) ?? runs[0];
  if (run === undefined) return undefined;
  const { id, spec, state, reason } = run;
  const tell = toldBy(run);
  switch (state) {
    case 'succeeded': {
      const deployed = `Deployed to ${run.environment} by run ${id}`;
      if (place === undefined && pullOf(run) !== undefined) {
        return tell('replaced', `${deployed}, and taken down since`);
      }
      if (place === undefined || place.sha === run.sha) return tell('live', deployed);
      const now = short(place.sha);
      const since =
        backBy === undefined ? `replaced by ${now}` : `rolled back to ${now} by ${backBy}`;
      const hint = `"mainsheet rollback ${spec} --to ${id}" deploys it again`;
      return tell('replaced', `${deployed}, then ${since} (run ${place.run})`, hint);
    }
    case 'running':
      return tell('running', `Run ${id} is deploying it`, `"mainsheet logs -f ${id}" shows how`);
    case 'queued':
      return tell('waiting', `Run ${id} waits: ${reason}`);
    case 'blocked':
      return tell('waiting', `Run ${id} is blocked: ${reason}`, whatBlocks(run));
    case 'failed': {
      const hint = `"mainsheet logs ${id}" shows why, "mainsheet retry ${id}" tries it again`;
      return tell('failed', `Run ${id} failed: ${reason}`, hint);
    }
    default:
      return tell(state, `Run ${id} was ${state}: ${reason}`, byHand(spec, run.sha));
  }
}

function whatBlocks({ id, reason }: Run): string {
  if (reason.startsWith('Paused ')) return '"mainsheet pauses" lists what is paused';
  return reason.startsWith('Waiting for ')
    ? `"mainsheet approve ${id}" approves it, "mainsheet reject ${id}" cancels it`
    : `"mainsheet override ${id} --reason <text>" lets it start all the same`;
}

function byDeliveries(
  spec: string,
  sha: string,
  deliveries: readonly PastDelivery[],
): Found | undefined {
  const found = deliveries.flatMap((delivery) => byDelivery(spec, sha, delivery) ?? []);
  // What the spec has decided says more than what came to nothing before it.
  return found.find(({ reasons }) => reasons.length > 0) ?? found[0];
}

function byDelivery(spec: string, sha: string, delivery: PastDelivery): Found | undefined {
  if (hookOfEvent(delivery.event) !== undefined) return byHook(spec, sha, delivery);
  const { newest, isNewest, isNamed } = readNames(delivery, sha);
  if (!isNamed) return undefined;
  const decided = delivery.outcome?.specs.find((one) => one.spec === spec);
  const base = { ...NOTHING, delivery: delivery.id, reasons: decided?.verdict.reasons ?? [] };
  if (!isNewest && newest !== undefined) {
    return {
      ...base,
      fate: 'not-newest',
      summary: `It was pushed together with ${short(newest)}, and only the newest commit of a push is deployed`,
      hint: `ask why for ${short(newest)}; ${byHand(spec, sha)}`,
    };
  }
  if (decided === undefined || decided.verdict.matched) {
    const summary = delivery.outcome?.summary ?? 'its delivery was not processed yet';
    return {
      ...base,
      fate: 'not-decided',
      summary: `Delivery ${delivery.id}: ${summary}`,
      hint: byHand(spec, sha),
    };
  }
  return { ...base, ...notMatched(decided, sha) };
}

/** A request to a hook deploys what a ref is at, whichever commits it names. */
function byHook(spec: string, sha: string, delivery: PastDelivery): Found | undefined {
  const decided = delivery.outcome?.specs.find((one) => one.spec === spec);
  if (decided === undefined) return undefined;
  const base = { ...NOTHING, delivery: delivery.id, reasons: decided.verdict.reasons };
  if (!decided.verdict.matched) return { ...base, ...notMatched(decided, sha) };
  const made = decided.run === undefined ? 'no run of its own' : `run ${decided.run}`;
  const summary = `Delivery ${delivery.id} of a hook names it, and made ${made} of another commit`;
  return { ...base, fate: 'not-decided', summary, hint: byHand(spec, sha) };
}

function notMatched({ spec, verdict }: DeliveryOutcome['specs'][number], sha: string) {
  const failed = verdict.reasons.find(({ held }) => !held);
  return {
    fate: 'not-matched' as const,
    summary:
      failed === undefined
        ? 'No condition held'
        : `${failed.condition} did not hold: ${failed.detail}`,
    hint: `change the spec; ${byHand(spec, sha)}`,
  };
}

/** Whether a delivery that has a commit's name in it brought the commit, and which was the newest that it brought. */
export function readNames({ event: name, payload: text }: PastDelivery, sha: string) {
  const payload = JSON.parse(text) as Json;
  const event = toEvent(name, payload);
  const newest =
    'sha' in event ? event.sha : event.kind === 'pull_request' ? event.head : undefined;
  const isNewest = newest?.startsWith(sha) === true;
  const isNamed = isNewest || (event.kind === 'push' && hasCommit(payload, sha));
  return { newest, isNewest, isNamed };
}

function hasCommit(payload: Json, sha: string): boolean {
  const { commits } = payload as { commits?: unknown };
  return (
    Array.isArray(commits) &&
    commits.some((commit: { id?: unknown } | null) => String(commit?.id).startsWith(sha))
  );
}

function unheard(spec: string, sha: string): Found {
  return {
    ...NOTHING,
    fate: 'never-heard-of',
    summary: 'No delivery that is kept has named it',
    hint: `see "Recent deliveries" of the webhook on GitHub, and "mainsheet doctor"; ${byHand(spec, sha)}`,
  };
}

/** In a preview nothing is deployed by hand. */
function notByHand(found: Found): Found {
  if (found.hint?.endsWith(BY_HAND) !== true) return found;
  const other = found.hint.slice(0, found.hint.lastIndexOf('"mainsheet deploy '));
  return { ...found, hint: `${other}push to the pull request` };
}

const BY_HAND = 'deploys it by hand';
const short = (sha: string) => sha.slice(0, 7);
const byHand = (spec: string, sha: string) =>
  `"mainsheet deploy ${spec} ${sha.slice(0, 12)}" ${BY_HAND}`;
