/**
 * Where GitHub keeps what a merge queue tries, before it is on any branch of people:
 * https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/configuring-pull-request-merges/managing-a-merge-queue
 */
export const MERGE_QUEUE = 'gh-readonly-queue/';

export function isOfMergeQueue(branch: string | undefined): boolean {
  return branch?.startsWith(MERGE_QUEUE) === true;
}

/** Whether a list of branches asks for the queue by its name; `**` does not. */
export function namesMergeQueue(branches: readonly string[]): boolean {
  return branches.some((pattern) => pattern.startsWith(MERGE_QUEUE));
}
