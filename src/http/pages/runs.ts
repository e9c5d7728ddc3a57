import { RUN_STATES } from '../../model/run.ts';
import type { Store } from '../../store/index.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Commits } from '../read/commits.ts';
import { empty } from './components/empty.ts';
import { listPage, placeIn, select } from './components/list.ts';
import { runRows } from './components/run-rows.ts';
import { asked, get, type PageRoute } from './page.ts';

/** Runs, newest first. */
export function runListRoutes(deps: {
  store: Store;
  catalog: Catalog;
  commits: Commits;
}): PageRoute[] {
  return [
    get('/runs', async ({ frame, query }, viewer) => {
      const filter = {
        spec: asked(query, 'spec', 63),
        state: RUN_STATES.find((state) => state === query.get('state')),
        sha: asked(query, 'sha', 64),
      };
      const place = placeIn(query, 50);
      const { items, next } = await deps.store.runs.list(place.request, {
        ...filter,
        visible: viewer.visible,
      });
      const specs = deps.catalog
        .current()
        .specs.filter(({ spec }) => viewer.canSee(spec.repository))
        .map(({ spec }) => spec.name)
        .sort();
      return listPage(frame, {
        name: 'Runs',
        fields: [
          select('spec', 'All specs', specs, filter.spec),
          select('state', 'All states', RUN_STATES, filter.state),
        ],
        filter,
        place,
        next,
        rows: items.length === 0 ? undefined : await runRows(frame, deps.commits, items),
        none: empty(frame, {
          sign: 'rocket',
          title: 'No runs',
          text: 'A run is made when a push, a release or a workflow matches a deployment spec, or by hand.',
          command: 'mainsheet deploy SPEC',
        }),
      });
    }),
  ];
}
