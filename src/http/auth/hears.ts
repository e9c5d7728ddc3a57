import type { News } from '../../model/news.ts';
import type { RepositoryOfRun } from '../read/run-repositories.ts';
import type { Viewer } from './viewer.ts';

/** Whether a piece of news is for a viewer: those of runs and deliveries are for those who see their repository. At once where it can be said. */
export function hears(
  viewer: Viewer,
  item: News,
  repositoryOfRun: RepositoryOfRun,
): boolean | Promise<boolean> {
  if (viewer.visible === undefined) return true;
  if (item.kind === 'delivery') return viewer.canSee(item.repository);
  return 'run' in item && repositoryOfRun(item.run).then((name) => viewer.canSee(name));
}
