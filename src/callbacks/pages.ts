import { unreadableAnswer } from '../github/failure.ts';

const PER_PAGE = 100;

/**
 * What is looked for in one of GitHub's lists, on at most so many pages of a hundred; undefined when it is not there. Throws
 * RetryableError for an answer that is no list.
 */
export async function findInPages(
  mostPages: number,
  read: (at: { per_page: number; page: number }) => Promise<{ status: number; data: unknown }>,
  isIt: (item: unknown) => boolean,
): Promise<unknown> {
  for (let page = 1; page <= mostPages; page += 1) {
    const { status, data } = await read({ per_page: PER_PAGE, page });
    if (!Array.isArray(data)) throw unreadableAnswer(status);
    const found: unknown = data.find(isIt);
    if (found !== undefined || data.length < PER_PAGE) return found;
  }
  return undefined;
}
