import type { Store } from '../../store/index.ts';
import { empty } from './components/empty.ts';
import { ago } from './components/time.ts';
import { html, pathTo, type Content } from './html.ts';
import { icon, type Frame } from './layout.ts';
import { found, type PageRoute } from './page.ts';

const SHOWN = 200;

const SIGNS: Record<string, string> = {
  cancel: 'cancelled',
  retry: 'sync',
  rollback: 'undo',
  replay: 'sync',
  deploy: 'rocket',
  pause: 'pause',
  resume: 'play',
};

/** Who did what. It names things of every repository, so it is for those who may see all of them. */
export function activityRoutes({ store }: { store: Store }): PageRoute[] {
  return [
    {
      method: 'get',
      path: '/activity',
      async serve({ frame }, viewer) {
        found(viewer.visible === undefined ? true : undefined, 'entry', 'activity');
        const entries = await store.audit.list(SHOWN);
        const list =
          entries.length === 0
            ? empty(frame, {
                sign: 'history',
                title: 'Nothing was done by hand yet',
                text: 'Each cancel, retry, rollback, deployment by hand, pause and resume is written down here, with who it was.',
              })
            : html`<ul class="rows is-alone">${entries.map(
                ({ at, actor, action, subject, detail }) =>
                  html`<li class="run-row"><span class="muted">${icon(frame, SIGNS[action.split('.')[1] ?? ''] ?? 'person')}</span><div class="cut"><p class="cut"><span class="strong">${actor}</span> ${action} ${subjectOf(frame, action, subject)}</p><p class="small muted break">${detail}</p></div><div class="row-end"><p class="small muted row-times">${ago(at, frame.now)}</p></div></li>`,
              )}</ul>`;
        const body = html`<main id="main" class="page" data-stream="${frame.root}live"><div class="page-head"><div><h1>Activity</h1><p class="muted">The last ${SHOWN} things that were done by hand.</p></div></div>
<div id="list" data-live hx-get="${frame.root}activity" hx-trigger="refresh" hx-select="#list" hx-swap="outerMorph"><div class="panel">${list}</div></div></main>`;
        return { page: { title: 'Activity', section: 'Activity', body } };
      },
    },
  ];
}

/** What it was done to, as a link where it has a page. */
function subjectOf(frame: Frame, action: string, subject: string): Content {
  const [kind = ''] = action.split('.');
  const room = { run: 'runs', delivery: 'deliveries', spec: 'specs', outbox: 'callbacks' }[kind];
  if (room === undefined || subject === 'all') return html`<code class="break">${subject}</code>`;
  return html`<a href="${frame.root}${pathTo([room, subject])}"><code>${subject}</code></a>`;
}
