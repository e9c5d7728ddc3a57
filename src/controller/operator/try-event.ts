import { elsewhere } from '../../lib/names.ts';
import type { Json } from '../../model/event.ts';
import { serverEventName } from '../../model/server-event.ts';
import type { Verdict } from '../../model/verdict.ts';
import { toEvent } from '../../sources/events.ts';
import type { Catalog } from '../../spec/catalog.ts';
import { needsChangedPaths } from '../../spec/match.ts';
import type { RepositoriesInMemory } from '../../store/repositories.ts';
import { judgedBy } from '../intake/judge.ts';

/** Events that can be tried by a ref alone. */
export const TRIED_EVENTS = ['push', 'release', 'workflow_run'] as const;

/** An event that has not come. */
export interface TriedEvent {
  /** As `X-GitHub-Event` has it; `push@work` of another server. */
  name: string;
  payload: Json;
}

/** What would come of it. */
export interface EventTrial {
  /** `owner/name`, as the payload has it. */
  repository: string | undefined;
  /** What it is, or why it is nothing that can deploy. */
  said: string;
  specs: {
    spec: string;
    verdict: Verdict;
    /** False where only git knows all changed files, so that `paths` may come out otherwise. */
    certain: boolean;
  }[];
}

/** Says what an event would start. Stores nothing and asks git nothing: whether the ref has the commit is not looked at. */
export type TryEvent = (tried: TriedEvent) => Promise<EventTrial>;

export function createTryEvent(deps: {
  catalog: Pick<Catalog, 'forRepository'>;
  repositories: Pick<RepositoriesInMemory, 'namesOf'>;
}): TryEvent {
  return async ({ name, payload }) => {
    const event = toEvent(name, payload);
    const { repository } = event;
    const said = event.kind === 'other' ? event.reason : `it is a ${event.kind}`;
    if (repository === undefined) return { repository, said, specs: [] };
    const formerly = await deps.repositories.namesOf(repository);
    const names = new Set([repository, ...formerly]);
    const candidates = [...names].flatMap((one) => deps.catalog.forRepository(one));
    const { verdicts } = await judgedBy({ event: { ...event, formerly }, candidates }, payload);
    return {
      repository,
      said,
      specs: verdicts.map(({ loaded: { spec }, verdict }) => ({
        spec: spec.name,
        verdict,
        certain: !needsChangedPaths([spec], event),
      })),
    };
  };
}

/** What an event is made of that is tried by its ref. */
export interface TriedRef {
  event: (typeof TRIED_EVENTS)[number];
  repository: string;
  /** A branch, a tag, or a whole ref; of a release the tag. */
  ref: string;
  /** The files that a push changes; empty: it does not say. */
  files: readonly string[];
  /** The workflow that has run. */
  workflow: string;
}

const BEFORE = '0123456789'.repeat(4);
const AFTER = 'fedcba9876543210'.repeat(3).slice(0, 40);

/** An event as a server would send it, with commits that there are not. Pure. */
export function eventOf({ event, repository, ref, files, workflow }: TriedRef): TriedEvent {
  const place = elsewhere(repository);
  const of = { full_name: place?.path ?? repository };
  const name = place === undefined ? event : serverEventName(place.server, event);
  const short = ref.replace(/^refs\/(?:heads|tags)\//, '');
  if (event === 'release') {
    const release = { tag_name: short, draft: false, prerelease: false };
    return { name, payload: { action: 'published', release, repository: of } };
  }
  if (event === 'workflow_run') {
    const run = {
      name: workflow,
      head_branch: short,
      head_sha: AFTER,
      head_repository: of,
      event: 'push',
      conclusion: 'success',
    };
    const payload = { action: 'completed', workflow_run: run, workflow: { name: workflow } };
    return { name, payload: { ...payload, repository: of } };
  }
  const changed = { added: [], removed: [], modified: [...files] };
  const commit = { id: AFTER, message: 'A commit that is tried', ...changed };
  const payload = {
    ref: ref.startsWith('refs/') ? ref : `refs/heads/${ref}`,
    before: BEFORE,
    after: AFTER,
    created: false,
    deleted: false,
    forced: false,
    commits: files.length === 0 ? [] : [commit],
    head_commit: files.length === 0 ? { id: AFTER, message: commit.message } : commit,
    repository: of,
  };
  return { name, payload };
}
