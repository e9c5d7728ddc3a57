import type { Context } from 'koa';
import type { Viewer } from '../auth/viewer.ts';
import { ProblemError } from '../problem.ts';
import type { Frame, PageContent } from './layout.ts';
import type { Html } from './html.ts';

/** What a page's function is given. */
export interface PageRequest {
  ctx: Context;
  frame: Frame;
  /** The first placeholder of the path. */
  id: string;
  /** All of them. */
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
}

/** A whole page, a piece of one for htmx, or where to go; `undefined`: the function has answered by itself. */
export type PageAnswer =
  | { page: PageContent; status?: number }
  | { piece: Html; status?: number }
  | { redirect: string }
  | undefined;

/** Answers a request of `Who`. */
type Serve<Who> = (request: PageRequest, viewer: Who) => Promise<PageAnswer>;

/** A route of the dashboard. */
export type PageRoute = {
  method: 'get' | 'post';
  path: string;
  /** It is limited for each viewer, some only when `q` asks for something. */
  costly?: 'always' | 'with q';
} & ({ isOpen: false; serve: Serve<Viewer> } | { isOpen: true; serve: Serve<Viewer | undefined> });

export function get(path: string, serve: Serve<Viewer>): PageRoute {
  return { method: 'get', path, isOpen: false, serve };
}

export function post(path: string, serve: Serve<Viewer>): PageRoute {
  return { method: 'post', path, isOpen: false, serve };
}

/** A route that needs no log-in. */
export function open(
  method: PageRoute['method'],
  path: string,
  serve: Serve<Viewer | undefined>,
): PageRoute {
  return { method, path, isOpen: true, serve };
}

/** A route for whose answer much has to be read. */
export function costly(when: 'always' | 'with q', route: PageRoute): PageRoute {
  return { ...route, costly: when };
}

/** What is for those who may see every repository is not there for others. Throws ProblemError 404. */
export function hideFromOthers(ctx: Context, viewer: Viewer): void {
  if (viewer.visible === undefined) return;
  throw new ProblemError(404, 'no-such-route', `there is nothing at ${ctx.path}`);
}

/** A field of a list's filter: what is not set is undefined. */
export function asked(query: URLSearchParams, name: string, longest = 200): string | undefined {
  const value = query.get(name)?.trim().slice(0, longest);
  return value === '' ? undefined : value;
}
