import { sameRepository, type Json } from '../../model/event.ts';
import type { Run } from '../../model/run.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { PastDelivery } from '../../store/past-deliveries.ts';
import type { Store } from '../../store/index.ts';
import { elsewhere } from '../../lib/names.ts';
import { pullCommits, type PullCommit } from './pull-commits.ts';
import type { Question } from './question.ts';
import { readNames, type AskWhy, type Why } from './why.ts';

/** Commits and repositories that one question is answered for. */
const MOST = 5;
/** Repositories that are offered. */
const MOST_CHOICES = 50;

/** A commit that was asked about, and why each spec of its repository did or did not deploy it. */
export interface AskedCommit {
  repository: string;
  sha: string;
  /** What it is to what was asked about. */
  role: 'commit' | PullCommit['role'];
  specs: Why[];
}

export interface Answer {
  question: Question;
  /** The run that was asked about. */
  run: Run | undefined;
  commits: AskedCommit[];
  /** Repositories of which one has to be named. */
  choices: string[];
}

/** Answers a question from what is kept. What `canSee` denies is answered as if it were not there. */
export type Ask = (question: Question, canSee: CanSee) => Promise<Answer>;

type CanSee = (repository: string | undefined) => boolean;

export function createAsk(deps: {
  why: AskWhy;
  store: Pick<Store, 'pastDeliveries' | 'runs' | 'repositories'>;
  catalog: Pick<Catalog, 'current' | 'forRepository'>;
}): Ask {
  const { why, store, catalog } = deps;

  const explain = (
    repository: string,
    found: readonly Pick<AskedCommit, 'sha' | 'role'>[],
    canSee: CanSee,
  ) =>
    Promise.all(
      found.slice(0, MOST).map(async ({ sha, role }): Promise<AskedCommit> => {
        return { repository, sha, role, specs: await why(repository, sha, canSee) };
      }),
    );

  async function ofCommit(
    sha: string,
    repositories: readonly string[],
    canSee: CanSee,
  ): Promise<AskedCommit[]> {
    const all = repositories.map((repository) =>
      explain(repository, [{ sha, role: 'commit' }], canSee),
    );
    return (await Promise.all(all)).flat();
  }

  /** Where the commit is known, by the name that a spec or a run has for the repository. What may not be seen changes nothing, the time too. */
  async function whereIs(sha: string, canSee: CanSee): Promise<string[]> {
    const runs = (await store.runs.ofCommit(undefined, sha)).filter((run) =>
      canSee(run.repository),
    );
    if (runs.length > 0) return distinct(runs.map(({ repository }) => repository));
    const deliveries = await store.pastDeliveries.naming(undefined, sha);
    const bringing = deliveries.filter((one) => readNames(one, sha).isNamed);
    return distinct(bringing.flatMap((one) => spelled(one) ?? [])).filter(canSee);
  }

  function spelled({ repository }: PastDelivery): string | undefined {
    if (repository === undefined) return undefined;
    if (repository.includes(':') && elsewhere(repository) === undefined) return undefined;
    return catalog.forRepository(repository)[0]?.spec.repository ?? repository;
  }

  async function ofPull(
    repository: string,
    number: number,
    canSee: CanSee,
  ): Promise<AskedCommit[]> {
    const names = [...new Set([repository, ...(await store.repositories.namesOf(repository))])];
    const deliveries = await store.pastDeliveries.ofPull(names, number);
    const payloads = deliveries.map(({ payload }) => JSON.parse(payload) as Json);
    return await explain(repository, pullCommits(payloads, number), canSee);
  }

  return async (question, canSee) => {
    const nothing: Answer = { question, run: undefined, commits: [], choices: [] };
    if (question.kind === 'run') {
      const run = await store.runs.get(question.run);
      if (run === undefined || !canSee(run.repository)) return nothing;
      const commits = await ofCommit(run.sha, [run.repository], canSee);
      // What it did itself is what is asked for first.
      for (const { specs } of commits) {
        specs.sort((a, b) => Number(b.spec === run.spec) - Number(a.spec === run.spec));
      }
      return { ...nothing, run, commits };
    }
    const { repository } = question;
    if (repository !== undefined && !canSee(repository)) return nothing;
    const own = distinct(catalog.current().specs.map(({ spec }) => spec.repository)).filter(canSee);
    const [only, ...others] = own;
    if (question.kind === 'commit') {
      const { sha } = question;
      if (repository !== undefined)
        return { ...nothing, commits: await ofCommit(sha, [repository], canSee) };
      const found = await whereIs(sha, canSee);
      if (found.length > 0)
        return { ...nothing, commits: await ofCommit(sha, found.slice(0, MOST), canSee) };
      const usual = only !== undefined && others.length === 0 ? [only] : [];
      return {
        ...nothing,
        commits: await ofCommit(sha, usual, canSee),
        choices: own.slice(0, MOST_CHOICES),
      };
    }
    if (repository !== undefined) {
      return { ...nothing, commits: await ofPull(repository, question.number, canSee) };
    }
    if (only !== undefined && others.length === 0) {
      return {
        ...nothing,
        question: { ...question, repository: only },
        commits: await ofPull(only, question.number, canSee),
      };
    }
    return { ...nothing, choices: own.slice(0, MOST_CHOICES) };
  };
}

function distinct(names: readonly string[]): string[] {
  return names.filter(
    (name, index) => names.findIndex((one) => sameRepository(one, name)) === index,
  );
}
