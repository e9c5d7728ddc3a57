import type { Intake } from '../../controller/intake/intake.ts';
import type { Delivery } from '../../model/delivery.ts';
import type { Store } from '../../store/index.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Viewer } from '../auth/viewer.ts';
import type { Guard } from '../guard.ts';
import { readPathTables, type PathTableDeps } from '../read/path-tables.ts';
import { confirm } from './components/confirm.ts';
import { environmentPath, runPath } from './components/commit.ts';
import { empty, nothingToSee } from './components/empty.ts';
import { eventName } from './components/event-name.ts';
import { listPage, placeIn, rowsOf, select } from './components/list.ts';
import { reasonList } from './components/reasons.ts';
import { pathTable } from './components/path-table.ts';
import { stateIcon, stateName } from './components/state.ts';
import { ago, exact } from './components/time.ts';
import { html, pathTo, type Content, type Html } from './html.ts';
import { icon, type Frame } from './layout.ts';
import { asked, get, post, type PageRoute } from './page.ts';
import { headersView, payloadView } from './payload.ts';

const EVENTS = [
  'push',
  'release',
  'workflow_run',
  'pull_request',
  'check_run',
  'issue_comment',
  'commit_comment',
  'deployment_protection_rule',
  'deployment_review',
  'ping',
  'installation',
];

/** What came, what was decided about it, and why. */
export function deliveryRoutes(deps: {
  store: Store;
  intake: Intake;
  catalog: Pick<Catalog, 'byName'>;
  guard: Guard;
}): PageRoute[] {
  const { store, intake, guard } = deps;

  return [
    get('/deliveries', async ({ frame, query }, viewer) => {
      const filter = {
        event: asked(query, 'event', 50),
        state: (['pending', 'processed', 'failed'] as const).find(
          (state) => state === query.get('state'),
        ),
        repository: asked(query, 'repository'),
      };
      const place = placeIn(query, 50);
      const { items, next } = await store.inbox.list(place.request, {
        ...filter,
        visible: viewer.visible,
      });
      return listPage(frame, {
        name: 'Deliveries',
        fields: [
          html`<div class="grow">${icon(frame, 'repo')}<input class="field" name="repository" value="${filter.repository}" placeholder="owner/name" aria-label="Repository" autocomplete="off"></div>`,
          select('event', 'All events', eventsWith(items, filter.event), filter.event, eventName),
          select('state', 'All states', ['pending', 'processed', 'failed'], filter.state),
        ],
        filter,
        place,
        next,
        rows: rowsOf(items, (delivery) => row(frame, delivery)),
        none:
          viewer.visible === undefined
            ? empty(frame, {
                sign: 'inbox',
                title: 'No deliveries',
                text: 'What GitHub sends is kept here, with what was decided about it. Send one by hand to try it:',
                command: 'mainsheet send push --from HEAD',
              })
            : nothingToSee(frame),
        stream: 'live?of=deliveries',
      });
    }),
    get('/deliveries/:id', async ({ frame, id }, viewer) => {
      const { delivery, payload, headers } = await guard.delivery(viewer, id);
      const mayReplay = viewer.canDo('replay', delivery.repository);
      const body = html`<main id="main" class="page">
<ol class="crumbs"><li><a href="${frame.root}deliveries">Deliveries</a></li><li><code class="break">${delivery.id}</code></li></ol>
<div class="page-head"><div class="run-title"><h1 class="break">${titleOf(delivery)}</h1>
<p class="meta run-meta">${stateIcon(frame, delivery.state)}${delivery.repository === undefined ? '' : html`<span>${icon(frame, 'repo', 'is-small')}${delivery.repository}</span>`}<span title="${exact(delivery.receivedAt)}">Received ${ago(delivery.receivedAt, frame.now)}</span>${
        delivery.attempts > 1 ? html`<span>${delivery.attempts} attempts</span>` : ''
      }</p></div>
<div class="buttons">${
        mayReplay
          ? html`<a class="button" data-dialog href="${frame.root}${pathTo(['deliveries', delivery.id, 'replay'])}">${icon(frame, 'sync')}Replay</a>`
          : ''
      }</div></div>
${
  delivery.copyOf === undefined
    ? ''
    : html`<div class="note is-warning">${icon(frame, 'copy')}<p class="grow">The same body came before as <a href="${frame.root}${pathTo(['deliveries', delivery.copyOf])}">${delivery.copyOf}</a>. Nothing new is made of it.</p></div>`
}
${await explanation(frame, deps, viewer, { delivery, payload })}
${headersView(frame, headers)}
${payloadView(frame, payload)}
</main>`;
      return { page: { title: titleOf(delivery), section: 'Deliveries', body } };
    }),
    get('/deliveries/:id/replay', async ({ ctx, frame, id }, viewer) => {
      await guard.allow(viewer, 'replay', { kind: 'delivery', name: id });
      const { delivery } = await guard.delivery(viewer, id);
      const path = frame.root + pathTo(['deliveries', delivery.id]);
      return confirm(ctx, {
        title: 'Replay this delivery?',
        text: html`<p>Its payload is matched with today’s specs once more. What matches is deployed, whatever was deployed since.</p>`,
        action: `${path}/replay`,
        button: 'Replay',
        isDangerous: false,
        back: path,
      });
    }),
    post('/deliveries/:id/replay', async ({ frame, id }, viewer) => {
      const actor = await guard.allow(viewer, 'replay', { kind: 'delivery', name: id });
      const { runs } = await intake.replay(id, actor);
      const [run] = runs;
      return {
        redirect:
          run === undefined || runs.length > 1
            ? frame.root + pathTo(['deliveries', id])
            : runPath(frame, run.id),
      };
    }),
  ];
}

/** The usual ones, those of the deliveries that are shown (of hooks, of chains), and the one that is chosen. */
function eventsWith(shown: readonly Delivery[], chosen: string | undefined): string[] {
  const events = shown.map(({ event }) => event).sort();
  return [...new Set([...EVENTS, ...events, ...(chosen === undefined ? [] : [chosen])])];
}

function titleOf({ event, action }: Delivery): string {
  const name = eventName(event);
  return action === undefined ? name : `${name} · ${action}`;
}

const SIGNS: Record<string, string> = { push: 'push', release: 'tag', workflow_run: 'workflow' };

function row(frame: Frame, delivery: Delivery): Html {
  const runs = (delivery.outcome?.specs ?? []).filter(({ run }) => run !== undefined).length;
  return html`<li class="run-row" id="row-${delivery.id}"><span class="muted">${icon(frame, SIGNS[delivery.event] ?? 'webhook')}</span>
<div class="cut"><p class="cut"><a class="plain strong row-link" href="${frame.root}${pathTo(['deliveries', delivery.id])}">${titleOf(delivery)}</a> <span class="muted">${delivery.repository ?? ''}</span></p>
<p class="small muted cut">${delivery.outcome?.summary ?? 'Not processed yet'}</p></div>
<div class="row-end">${
    delivery.state === 'processed'
      ? runs === 0
        ? ''
        : html`<span class="badge is-succeeded">${icon(frame, 'rocket', 'is-small')}${runs} ${runs === 1 ? 'run' : 'runs'}</span>`
      : html`<span class="badge is-${delivery.state}">${stateName(delivery.state)}</span>`
  }<p class="small muted row-times">${ago(delivery.receivedAt, frame.now)}</p></div></li>`;
}

/** Each spec of the repository, and each condition with what it saw. */
async function explanation(
  frame: Frame,
  deps: PathTableDeps & { store: Pick<Store, 'runs'> },
  viewer: Viewer,
  { delivery, payload }: { delivery: Delivery; payload: string },
): Promise<Content> {
  const { outcome } = delivery;
  if (outcome === undefined)
    return html`<div class="note is-pending">${icon(frame, 'queued')}<p>Not processed yet.</p></div>`;
  const specs = outcome.specs.toSorted(
    (a, b) => Number(b.verdict.matched) - Number(a.verdict.matched),
  );
  const runs = await Promise.all(
    specs.map(async ({ run }) => (run === undefined ? undefined : await deps.store.runs.get(run))),
  );
  const made = runs.filter((run) => run !== undefined);
  const paths = await readPathTables(deps, viewer, { delivery, payload, runs: made });
  return html`<section class="panel" aria-label="What was decided">
<div class="panel-head">${icon(frame, 'info')}<h2>${outcome.summary}</h2></div>
${
  specs.length === 0
    ? ''
    : html`<ul class="rows">${specs.map(({ spec, verdict }, index) => {
        const run = runs[index];
        return html`<li class="verdict"><div class="verdict-head"><span class="tone is-${verdict.matched ? 'held' : 'none'}">${icon(frame, verdict.matched ? 'succeeded' : 'cancelled')}</span><a class="plain strong" href="${environmentPath(frame, spec)}">${spec}</a><span class="muted">${verdict.matched ? 'matched' : 'did not match'}</span>${
          run === undefined
            ? ''
            : html`<a class="button is-small end" href="${runPath(frame, run.id)}">${stateIcon(frame, run.state)}Run</a>`
        }</div>${reasonList(frame, verdict.reasons)}${pathTable(frame, paths.get(spec))}</li>`;
      })}</ul>`
}
</section>`;
}
