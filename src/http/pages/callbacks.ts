import { shownOf } from '../../callbacks/index.ts';
import type { Operate } from '../../controller/operator/operate.ts';
import type { Store } from '../../store/index.ts';
import type { Run } from '../../model/run.ts';
import { isOfRun, type OutboxEntry } from '../../store/outbox.ts';
import type { Guard } from '../guard.ts';
import { answerOf, callbackName, tells, tellsOf } from './components/callbacks.ts';
import { runPath } from './components/commit.ts';
import { confirm } from './components/confirm.ts';
import { empty } from './components/empty.ts';
import { listPage, placeIn, rowsOf, select } from './components/list.ts';
import { stateBadge, stateIcon } from './components/state.ts';
import { ago } from './components/time.ts';
import { readForm } from './form.ts';
import { html, type Html } from './html.ts';
import { icon, type Frame } from './layout.ts';
import { get, hideFromOthers, post, type PageRoute } from './page.ts';

const STATES = ['pending', 'sent', 'obsolete', 'dead'] as const;

/** What the world was told, what it is still to be told, and what was given up. */
export function callbackRoutes(deps: {
  store: Store;
  operate: Operate;
  guard: Guard;
}): PageRoute[] {
  const { store, operate, guard } = deps;

  /** The runs that entries belong to, by their ids. */
  async function runsOf(entries: readonly OutboxEntry[]): Promise<ReadonlyMap<string, Run>> {
    const ids = [...new Set(entries.map(({ run }) => run).filter(isOfRun))];
    const runs = await Promise.all(ids.map((id) => store.runs.get(id)));
    return new Map(runs.filter((run) => run !== undefined).map((run) => [run.id, run]));
  }

  return [
    get('/callbacks', async ({ frame, query }, viewer) => {
      const state = STATES.find((one) => one === query.get('state'));
      const place = placeIn(query, 50);
      const { items, next } = await store.outbox.list(place.request, {
        state,
        visible: viewer.visible,
      });
      const runs = await runsOf(items);
      const canResend = state === 'dead' && items.length > 0 && viewer.visible === undefined;
      return listPage(frame, {
        name: 'Callbacks',
        buttons: canResend
          ? html`<div class="buttons"><a class="button" data-dialog href="${frame.root}callbacks/resend">${icon(frame, 'sync')}Send all again</a></div>`
          : '',
        fields: select('state', 'All states', STATES, state),
        filter: { state },
        place,
        next,
        rows: rowsOf(items, (entry) => row(frame, entry, runs.get(entry.run))),
        none: empty(frame, {
          sign: 'callback',
          title: state === 'dead' ? 'Nothing was given up' : 'No callbacks',
          text: 'Each state of a run is told to GitHub, and to what its spec notifies. What cannot be told is here, with why.',
        }),
      });
    }),
    get('/callbacks/resend', async ({ ctx, frame }, viewer) => {
      hideFromOthers(ctx, viewer);
      return confirm(ctx, {
        title: 'Send every dead callback again?',
        text: html`<p>What a later one has made pointless is left out.</p>`,
        action: `${frame.root}callbacks/resend`,
        button: 'Send all again',
        isDangerous: false,
        back: `${frame.root}callbacks?state=dead`,
      });
    }),
    post('/callbacks/resend', async ({ ctx, frame }, viewer) => {
      hideFromOthers(ctx, viewer);
      await operate.resendAll(viewer.actor);
      return { redirect: `${frame.root}callbacks` };
    }),
    get('/callbacks/:id', async ({ frame, id }, viewer) => {
      const { entry, run } = await guard.entry(viewer, id);
      const mayResend = entry.state === 'dead' && viewer.canDo('resend', run?.repository);
      const others = mayResend ? (await store.outbox.countDead(entry)) - 1 : 0;
      const body = html`<main id="main" class="page" data-stream="${frame.root}live">
<div id="callback" data-live hx-get="${frame.root}callbacks/${entry.id}" hx-trigger="refresh" hx-select="#callback" hx-swap="outerMorph">
<ol class="crumbs"><li><a href="${frame.root}callbacks">Callbacks</a></li><li>${entry.id}</li></ol>
<div class="page-head"><div class="run-title"><h1>${callbackName(entry)}: ${tells(entry)}</h1><p class="meta run-meta">${stateBadge(frame, entry.state, 'is-large')}<span>${entry.attempts} ${entry.attempts === 1 ? 'attempt' : 'attempts'}</span><span>Made ${ago(entry.createdAt, frame.now)}</span>${tellsOf(entry, run)}</p></div>
<div class="buttons">${
        mayResend
          ? html`<form method="post" action="${frame.root}callbacks/${entry.id}/resend"><button class="button">${icon(frame, 'sync')}Send again</button></form>`
          : ''
      }${
        others > 0
          ? html`<form method="post" action="${frame.root}callbacks/${entry.id}/resend"><input type="hidden" name="target" value="true"><button class="button">Send all ${others + 1} of its target again</button></form>`
          : ''
      }${run === undefined ? '' : html`<a class="button" href="${runPath(frame, run.id)}">${icon(frame, 'rocket')}Run</a>`}</div></div>
${entry.error === undefined || entry.state === 'sent' ? '' : html`<div class="note is-${entry.state}">${icon(frame, 'alert')}<p class="grow break">${entry.error}</p></div>`}${answerOf(frame, entry)}
<section class="panel"><div class="panel-head">${icon(frame, 'file-code')}<h2>What is sent</h2><span class="muted small end">with templates as they are written</span></div><pre class="payload" tabindex="0">${JSON.stringify(shownOf(entry.callback), undefined, 2)}</pre></section>
</div></main>`;
      return { page: { title: callbackName(entry), section: 'Callbacks', body } };
    }),
    post('/callbacks/:id/resend', async ({ ctx, frame, id }, viewer) => {
      const actor = await guard.allow(viewer, 'resend', { kind: 'entry', name: id });
      const { entry } = await guard.entry(viewer, id);
      const whole = (await readForm(ctx)).get('target') === 'true';
      await operate.resend(entry.id, actor, whole);
      return { redirect: `${frame.root}callbacks/${entry.id}` };
    }),
  ];
}

function row(frame: Frame, entry: OutboxEntry, run: Run | undefined): Html {
  return html`<li class="run-row" id="row-${entry.id}">${stateIcon(frame, entry.state)}
<div class="whole"><p class="cut"><a class="plain strong row-link" href="${frame.root}callbacks/${entry.id}">${callbackName(entry)}</a> <span class="muted">${tells(entry)}</span></p><p class="meta">${tellsOf(entry, run)}</p>${
    entry.error === undefined || entry.state === 'sent'
      ? ''
      : html`<p class="small tone is-${entry.state}">${entry.error}</p>`
  }</div>
<div class="row-end"><p class="small muted row-times">${ago(entry.finishedAt ?? entry.createdAt, frame.now)}</p></div></li>`;
}
