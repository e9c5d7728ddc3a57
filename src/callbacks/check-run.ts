import type { Octokit } from '@octokit/rest';
import type { Annotation } from './annotations.ts';
import type { Button } from './check-buttons.ts';
import type { Place } from './contract.ts';
import { description, fieldOf, madeId } from './fields.ts';
import { findInPages } from './pages.ts';

/** The newest 500 check runs of one commit and name: one made minutes ago is among them. */
const MAX_PAGES = 5;

/** A check run of a commit: https://docs.github.com/en/rest/checks/runs */
export interface CheckRun {
  sha: string;
  name: string;
  /** By what it is known again: the `external_id`. */
  externalId: string;
  /** GitHub's number of it, where it is known. */
  checkRunId: number | undefined;
  /** What else GitHub is told of it; `summary` and `text` are Markdown. */
  shown: {
    status: 'queued' | 'in_progress' | 'completed';
    conclusion?: 'success' | 'failure' | 'neutral' | 'cancelled';
    output: { title: string; summary: string; text?: string };
    started_at?: string;
    completed_at?: string;
    details_url?: string;
    actions?: Button[];
  };
  annotations: readonly Annotation[];
}

/** One that says something of a commit, and is no run's. */
export interface CompletedCheck extends Omit<CheckRun, 'shown'> {
  conclusion: 'success' | 'failure' | 'neutral';
  title: string;
  /** Markdown. */
  text: string;
}

/**
 * Makes the check run, or changes it when it is there, and answers its number. GitHub has no idempotency keys: where the number is not
 * known and the check run may be there all the same, it is looked for first. GitHub adds annotations to those that are there already,
 * so one that may have some is asked before it is given any.
 */
export async function setCheckRun(
  octokit: Octokit,
  place: Place,
  check: CheckRun,
  { mayBeThere, mayBeAnnotated }: { mayBeThere: boolean; mayBeAnnotated: boolean },
): Promise<number> {
  const known = check.checkRunId ?? (mayBeThere ? await find(octokit, place, check) : undefined);
  const isNews =
    check.annotations.length > 0 &&
    !(mayBeAnnotated && known !== undefined && (await isAnnotated(octokit, place, known)));
  const { output } = check.shown;
  const fields = {
    ...place,
    ...check.shown,
    output: {
      ...output,
      title: description(output.title),
      ...(isNews ? { annotations: [...check.annotations] } : {}),
    },
  };
  const { status, data } =
    known === undefined
      ? await octokit.request('POST /repos/{owner}/{repo}/check-runs', {
          ...fields,
          name: check.name,
          head_sha: check.sha,
          external_id: check.externalId,
        })
      : await octokit.request('PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}', {
          ...fields,
          check_run_id: known,
        });
  return madeId(status, data);
}

/** The same for one that may have been made before, whatever is known of it. */
export async function setCompletedCheck(
  octokit: Octokit,
  place: Place,
  { conclusion, title, text, ...check }: CompletedCheck,
): Promise<number> {
  const shown = { status: 'completed', conclusion, output: { title, summary: text } } as const;
  const mayBe = { mayBeThere: true, mayBeAnnotated: true };
  return await setCheckRun(octokit, place, { ...check, shown }, mayBe);
}

async function find(
  octokit: Octokit,
  place: Place,
  { sha, name, externalId }: CheckRun,
): Promise<number | undefined> {
  const found = await findInPages(
    MAX_PAGES,
    async (at) => {
      const { status, data } = await octokit.request(
        'GET /repos/{owner}/{repo}/commits/{ref}/check-runs',
        { ...place, ref: sha, check_name: name, filter: 'all', ...at },
      );
      return { status, data: fieldOf(data, 'check_runs') };
    },
    (each) => fieldOf(each, 'external_id') === externalId,
  );
  return found === undefined ? undefined : madeId(200, found);
}

async function isAnnotated(octokit: Octokit, place: Place, id: number): Promise<boolean> {
  const { data } = await octokit.request('GET /repos/{owner}/{repo}/check-runs/{check_run_id}', {
    ...place,
    check_run_id: id,
  });
  return data.output.annotations_count > 0;
}
