import { decodeCursor, type Page, type PageRequest } from '../../../src/store/page.ts';

/** All pages of a list, two items each; `between` is done before each next page is asked for. */
export async function walkPages<Item>(
  list: (request: PageRequest) => Promise<Page<Item>>,
  between: () => Promise<unknown>,
): Promise<Item[][]> {
  const pages: Item[][] = [];
  let before: number | undefined;
  do {
    const { items, next } = await list({ limit: 2, before });
    pages.push(items);
    before = next === undefined ? undefined : decodeCursor(next);
    await between();
  } while (before !== undefined);
  return pages;
}
