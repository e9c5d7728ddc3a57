import type { Octokit } from '@octokit/rest';
import type { Annotation } from './annotations.ts';
import { findCheck, isAnnotated } from './check-lookup.ts';
import type { Place } from './contract.ts';
import { description, madeId } from './fields.ts';

/** A check run that says something of a commit, and is no run's. */
export interface CompletedCheck {
  sha: string;
  name: string;
  /** By what it is known again: the `external_id`. */
  externalId: string;
  /** GitHub's number of it, where it is known. */
  checkRunId: number | undefined;
  conclusion: 'success' | 'failure' | 'neutral';
  title: string;
  /** Markdown. */
  text: string;
  annotations: readonly Annotation[];
}

/**
 * Makes it, or changes it where it is there, and answers its number. Annotations are added to none: GitHub keeps those that it was
 * given before. https://docs.github.com/en/rest/checks/runs#create-a-check-run
 */
export async function setCompletedCheck(
  octokit: Octokit,
  place: Place,
  check: CompletedCheck,
): Promise<number> {
  // It may be there although no answer told its number.
  const known = check.checkRunId ?? (await findCheck(octokit, place, check));
  if (known === undefined) {
    const made = await octokit.request('POST /repos/{owner}/{repo}/check-runs', {
      ...place,
      ...fieldsOf(check, check.annotations),
      name: check.name,
      head_sha: check.sha,
      external_id: check.externalId,
    });
    return madeId(made.status, made.data);
  }
  const isNews = check.annotations.length > 0 && !(await isAnnotated(octokit, place, known));
  const { status, data } = await octokit.request(
    'PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}',
    { ...place, ...fieldsOf(check, isNews ? check.annotations : []), check_run_id: known },
  );
  return madeId(status, data);
}

function fieldsOf({ conclusion, title, text }: CompletedCheck, annotations: readonly Annotation[]) {
  return {
    status: 'completed' as const,
    conclusion,
    output: {
      title: description(title),
      summary: text,
      ...(annotations.length === 0 ? {} : { annotations: [...annotations] }),
    },
  };
}
