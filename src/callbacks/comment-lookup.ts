import type { Octokit } from '@octokit/rest';
import type { Place } from './contract.ts';

const PER_PAGE = 100;
/** The first comments of a pull request, or the first since a time. */
const MAX_PAGES = 5;

/** The number of the oldest comment whose text is the one that is looked for. `since`: in ISO 8601. */
export async function findComment(
  octokit: Octokit,
  place: Place,
  pull: number,
  isIt: (text: string) => boolean,
  since?: string,
): Promise<number | undefined> {
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const { data } = await octokit.request(
      'GET /repos/{owner}/{repo}/issues/{issue_number}/comments',
      {
        ...place,
        issue_number: pull,
        ...(since === undefined ? {} : { since }),
        per_page: PER_PAGE,
        page,
      },
    );
    const found = data.find(({ body }) => isIt(body ?? ''));
    if (found !== undefined) return Number(found.id);
    if (data.length < PER_PAGE) return undefined;
  }
  return undefined;
}
