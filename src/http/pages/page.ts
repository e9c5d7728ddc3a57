import type { Context } from 'koa';
import type { Viewer } from '../auth/viewer.ts';
import type { Frame, PageContent } from './layout.ts';
import type { Html } from './html.ts';

/** What a page's function is given. */
export interface PageRequest {
  ctx: Context;
  frame: Frame;
  /** The placeholders of the path. */
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
}

/** A whole page, a piece of one for htmx, or where to go; `undefined`: the function has answered by itself. */
export type PageAnswer =
  | { page: PageContent; status?: number }
  | { piece: Html; status?: number }
  | { redirect: string }
  | undefined;

/** A route of the dashboard. `open` ones need no log-in. */
export type PageRoute = { method: 'get' | 'post'; path: string } & (
  | { open: true; serve(request: PageRequest, viewer: Viewer | undefined): Promise<PageAnswer> }
  | { open?: false; serve(request: PageRequest, viewer: Viewer): Promise<PageAnswer> }
);

/** A field of a list's filter: what is not set is undefined. */
export function asked(query: URLSearchParams, name: string, longest = 200): string | undefined {
  const value = query.get(name)?.trim().slice(0, longest);
  return value === '' ? undefined : value;
}
