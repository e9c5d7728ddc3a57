import type { SpecsSource } from '../../spec/catalog.ts';
import type { Viewer } from '../auth/viewer.ts';
import { githubHome } from './web-pages.ts';

/** Where the specs in use are from, as far as a viewer may know it. */
export interface SourceView {
  /** Undefined for a directory, and for those who may not see the repository. */
  repository: string | undefined;
  /** Below the repository's root; without one the name of the directory. Undefined for those who may not know it. */
  path: string | undefined;
  /** Its full name, or the beginning for those who may not see the repository. */
  commit: string | undefined;
  /** The page of the directory at the commit. */
  url: string | undefined;
  /** The page of a spec in it. */
  urlOf(spec: { file: string; line: number }): string | undefined;
}

/**
 * The repository is named to those who may see it, and a directory, which is no repository's, to those who may see everything.
 * Undefined when nothing is to be told.
 */
export function viewSource(
  source: SpecsSource | undefined,
  viewer: Pick<Viewer, 'canSee' | 'visible'>,
  githubUrl: string,
): SourceView | undefined {
  if (source === undefined) return undefined;
  const { repository, path, commit } = source;
  const isKnown = viewer.visible === undefined || viewer.canSee(repository);
  if (!isKnown) {
    const short = commit?.slice(0, 7);
    if (short === undefined) return undefined;
    return { repository: undefined, path: undefined, commit: short, ...NO_PAGES };
  }
  if (repository === undefined || commit === undefined) {
    return { repository, path, commit, ...NO_PAGES };
  }
  const page = (kind: 'tree' | 'blob', file: string) =>
    [githubHome(githubUrl, repository), kind, commit, ...file.split('/').map(encodeURIComponent)]
      .filter((part) => part !== '')
      .join('/');
  return {
    repository,
    path,
    commit,
    url: page('tree', path),
    urlOf: ({ file, line }) => `${page('blob', path === '' ? file : `${path}/${file}`)}#L${line}`,
  };
}

const NO_PAGES = { url: undefined, urlOf: () => undefined };
