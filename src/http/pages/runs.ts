import { RUN_STATES } from '../../model/run.ts';
import { decodeCursor } from '../../store/page.ts';
import type { Store } from '../../store/index.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Commits } from '../read/commits.ts';
import { empty } from './components/empty.ts';
import { filterForm, liveList, older, select } from './components/list.ts';
import { runRows } from './components/run-rows.ts';
import { html } from './html.ts';
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
      const cursor = asked(query, 'cursor', 100);
      const before = cursor === undefined ? undefined : decodeCursor(cursor);
      const { items, next } = await deps.store.runs.list(
        { limit: 50, before },
        { ...filter, visible: viewer.visible },
      );
      const specs = deps.catalog
        .current()
        .specs.filter(({ spec }) => viewer.canSee(spec.repository))
        .map(({ spec }) => spec.name)
        .sort();
      const list =
        items.length === 0
          ? empty(frame, {
              sign: 'rocket',
              title: 'No runs',
              text: 'A run is made when a push, a release or a workflow matches a deployment spec, or by hand.',
              command: 'mainsheet deploy SPEC',
            })
          : await runRows(frame, deps.commits, items);
      const body = html`<main id="main" class="page"${cursor === undefined ? html` data-stream="${frame.root}live"` : ''}>
<div class="page-head"><h1>Runs</h1></div>
${filterForm(frame, 'runs', [
  select('spec', 'All specs', specs, filter.spec),
  select('state', 'All states', RUN_STATES, filter.state),
])}
${liveList(frame, 'runs', { ...filter, cursor }, html`<div class="panel">${list}</div>${older(frame, 'runs', filter, next)}`)}
</main>`;
      return { page: { title: 'Runs', section: 'Runs', body } };
    }),
  ];
}
