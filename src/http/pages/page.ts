import type { Context } from 'koa';
import { TerminalError } from '../../lib/errors.ts';
import type { Action, Viewer } from '../auth/viewer.ts';
import { ProblemError } from '../problem.ts';
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

/** A route of the dashboard. `open` ones need no log-in; `costly` ones are limited for each viewer, some only when `q` asks for something. */
export type PageRoute = {
  method: 'get' | 'post';
  path: string;
  costly?: 'always' | 'with q';
} & (
  | { open: true; serve(request: PageRequest, viewer: Viewer | undefined): Promise<PageAnswer> }
  | { open?: false; serve(request: PageRequest, viewer: Viewer): Promise<PageAnswer> }
);

/** A thing that is not there and one that may not be seen are the same to a viewer. */
export function found<Thing>(
  thing: Thing | undefined,
  what: 'run' | 'delivery' | 'spec' | 'entry' | 'hook',
  id: string,
): Thing {
  if (thing !== undefined) return thing;
  throw new TerminalError(`${what}-unknown`, `there is no ${what} ${id}`);
}

/** Throws ProblemError 403 for what a viewer may see but not do. */
export function allowed(viewer: Viewer, action: Action, repository: string): void {
  if (viewer.canDo(action, repository)) return;
  throw new ProblemError(403, 'not-allowed', `you may not ${action} what ${repository} deploys`, {
    hint: 'that takes a higher permission on the repository',
  });
}

/** A field of a list's filter: what is not set is undefined. */
export function asked(query: URLSearchParams, name: string, longest = 200): string | undefined {
  const value = query.get(name)?.trim().slice(0, longest);
  return value === '' ? undefined : value;
}
