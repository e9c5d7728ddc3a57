import type { Octokit } from '@octokit/rest';
import { unreadableAnswer } from '../github/failure.ts';
import type { Place } from './contract.ts';
import { fieldOf, madeId } from './fields.ts';

const PER_PAGE = 100;
/** The newest 500 check runs of one commit and name: one made minutes ago is among them. */
const MAX_PAGES = 5;

/** The number of the check run that has `externalId`; undefined when there is none. */
export async function findCheck(
  octokit: Octokit,
  place: Place,
  { sha, name, externalId }: { sha: string; name: string; externalId: string },
): Promise<number | undefined> {
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const { status, data } = await octokit.request(
      'GET /repos/{owner}/{repo}/commits/{ref}/check-runs',
      { ...place, ref: sha, check_name: name, filter: 'all', per_page: PER_PAGE, page },
    );
    const runs: unknown = fieldOf(data, 'check_runs');
    if (!Array.isArray(runs)) throw unreadableAnswer(status);
    const found: unknown = runs.find((each) => fieldOf(each, 'external_id') === externalId);
    if (found !== undefined) return madeId(status, found);
    if (runs.length < PER_PAGE) return undefined;
  }
  return undefined;
}

/** Whether it has annotations already: GitHub adds those that it is given to those that are there. */
export async function isAnnotated(octokit: Octokit, place: Place, id: number): Promise<boolean> {
  const { data } = await octokit.request('GET /repos/{owner}/{repo}/check-runs/{check_run_id}', {
    ...place,
    check_run_id: id,
  });
  return data.output.annotations_count > 0;
}
