import { isoTime } from '../../lib/clock.ts';
import type { Viewer } from '../auth/viewer.ts';
import { found } from '../guard.ts';
import { dayOf } from '../read/day.ts';
import {
  readHistory,
  type Change,
  type Comparison,
  type History,
  type HistoryDeps,
  type Period,
} from '../read/history.ts';
import { webPagesOf, type WebServers } from '../read/web-pages.ts';
import {
  causeOf,
  environmentPath,
  historyPath,
  refOf,
  runPath,
  shortSha,
} from './components/commit.ts';
import { empty } from './components/empty.ts';
import { older, placeIn } from './components/list.ts';
import { runRows } from './components/run-rows.ts';
import { durationText, exact } from './components/time.ts';
import { html, type Content, type Html } from './html.ts';
import { icon, type Frame } from './layout.ts';
import { asked, get, type PageRoute } from './page.ts';

const SHOWN = 50;

/** What a spec had deployed, when, by whom and why; what was there on a day, and how two revisions differ. */
export function historyRoutes(deps: HistoryDeps & WebServers): PageRoute[] {
  return [
    get('/specs/:name/history', async ({ frame, id: name, query }, viewer: Viewer) => {
      const place = placeIn(query, SHOWN);
      const day = asked(query, 'day', 20);
      const [from, to] = [asked(query, 'from', 100), asked(query, 'to', 100)];
      const history = found(
        await readHistory(deps, viewer, name, {
          lane: asked(query, 'lane', 300),
          page: place.request,
          period: day === undefined ? undefined : dayOf(day),
          compared: from === undefined || to === undefined ? undefined : [from, to],
        }),
        'spec',
        name,
      );
      const { comparison } = history;
      const body = html`<main id="main" class="page">
<ol class="crumbs"><li><a href="${frame.root}specs">Specs</a></li><li><a class="break" href="${environmentPath(frame, name)}">${name}</a></li><li>History</li></ol>
<div class="page-head"><div class="run-title"><h1 class="break">What ${name} had deployed</h1>
<p class="meta run-meta"><span>${icon(frame, 'repo', 'is-small')}${history.repository}</span><span>${icon(frame, 'server', 'is-small')}${placeOf(history, deps.catalog.byName(name)?.spec.environment)}</span></p></div></div>
${dayForm(frame, history, day)}
${day === undefined ? '' : onDay(frame, day, history.period)}
${from === undefined || to === undefined ? '' : comparisonOf(frame, comparison, comparison && (await runRows(frame, deps.commits, comparison.runs, { ofSpec: true })), deps)}
${timeline(frame, history, place.cursor === undefined, [from, to])}
</main>`;
      return { page: { title: `History of ${name}`, section: 'Specs', body } };
    }),
  ];
}

/** The environment, or one of its other lanes. */
function placeOf({ lane, lanes }: History, environment: string | undefined): string {
  return lane === lanes[0] ? (environment ?? lane) : lane;
}

function dayForm(frame: Frame, { spec, lane, lanes }: History, day: string | undefined): Html {
  const others = lanes.includes(lane) ? lanes : [...lanes, lane];
  return html`<form class="filters ask-day" method="get" action="${historyPath(frame, spec)}">
${others.length > 1 ? laneSelect(others, lane) : ''}
<label for="day">What was deployed on</label><input class="field" type="date" id="day" name="day" value="${day}" max="${isoTime(frame.now).slice(0, 10)}" required>
<button class="button">Show</button><span class="small muted">Days begin and end at midnight, UTC.</span>
</form>`;
}

function laneSelect(lanes: readonly string[], chosen: string): Html {
  return html`<select class="field" name="lane" aria-label="Lane">${lanes.map(
    (lane) =>
      html`<option value="${lane}"${lane === chosen ? html` selected` : ''}>${lane}</option>`,
  )}</select>`;
}

/** What was there when the day began and ended, and what came in it. */
function onDay(frame: Frame, day: string, period: Period | undefined): Html {
  if (period === undefined) {
    return html`<div class="note is-warning">${icon(frame, 'alert')}<p>“${day}” is no day. Write it as 2026-11-29.</p></div>`;
  }
  const { begin, end, changes, from, to } = period;
  const isOver = to < frame.now;
  const what = (change: Change | undefined) =>
    change === undefined
      ? html`<span class="muted">Nothing that is still known</span>`
      : revision(frame, change);
  return html`<section class="panel" aria-label="On that day"><div class="panel-head">${icon(frame, 'history')}<h2>${dayName(from)}</h2><span class="muted small end">UTC</span></div>
<dl class="facts panel-body"><dt>As it began</dt><dd>${what(begin)}</dd><dt>${isOver ? 'As it ended' : 'Now'}</dt><dd>${what(end)}</dd><dt>Changes</dt><dd>${
    changes.length === 0
      ? html`<span class="muted">Nothing</span>`
      : html`<ul class="day-changes">${changes.map((change) => html`<li><span class="num muted">${clock(change.from)}</span> <span>${revision(frame, change)}</span></li>`)}</ul>`
  }</dd></dl></section>`;
}

/** A revision in a line. */
function revision(frame: Frame, change: Change): Html {
  const { run, commit, by } = change;
  if (run.event === 'teardown') {
    return html`<a href="${runPath(frame, run.id)}">Taken down</a>`;
  }
  return html`<a href="${runPath(frame, run.id)}">${shortSha(run.sha)}</a> ${commit?.title ?? ''} <span class="muted break">${causeOf(run)}${by === undefined ? '' : html` by ${by}`}${because(change)}</span>`;
}

function because({ reason }: Change): Content {
  return reason === undefined ? '' : html`: ${reason}`;
}

function comparisonOf(
  frame: Frame,
  comparison: Comparison | undefined,
  rows: Html | undefined,
  at: WebServers,
): Html {
  if (comparison === undefined) {
    return html`<div class="note is-warning" id="comparison">${icon(frame, 'compare')}<p>Choose two different revisions that were deployed here.</p></div>`;
  }
  const { older, newer, runs } = comparison;
  const url = webPagesOf(newer.run.repository, at)?.compare(older.run.sha, newer.run.sha);
  const isSame = older.run.sha === newer.run.sha;
  return html`<section class="panel" id="comparison" aria-label="Comparison"><div class="panel-head">${icon(frame, 'compare')}<h2>${shortSha(older.run.sha)} and ${shortSha(newer.run.sha)}</h2>${
    url === undefined || isSame
      ? ''
      : html`<a class="button is-small end" href="${url}" rel="noreferrer">See what changed${icon(frame, 'external')}</a>`
  }</div>
<dl class="facts panel-body"><dt>From</dt><dd>${revision(frame, older)} <span class="muted num">· ${exact(older.from)}</span></dd><dt>To</dt><dd>${revision(frame, newer)} <span class="muted num">· ${exact(newer.from)}</span></dd>${
    isSame ? html`<dt>Changes</dt><dd>None: it is the same commit.</dd>` : ''
  }</dl>
<h3 class="panel-sub">${runs.length} ${runs.length === 1 ? 'run' : 'runs'} after the first, up to the second</h3>${rows}</section>`;
}

function timeline(
  frame: Frame,
  history: History,
  isNewest: boolean,
  chosen: readonly (string | undefined)[],
): Html {
  const { spec, lane, changes } = history;
  const { items, next } = changes;
  if (items.length === 0) {
    return html`<div class="panel">${empty(frame, {
      sign: 'history',
      title: 'No deployment is known',
      text: 'Each revision that a run deploys stands here, with who and what brought it, for as long as runs are kept. To deploy by hand:',
      command: `mainsheet deploy ${spec}`,
    })}</div>`;
  }
  const [to = items[0]?.run.id, from = items[1]?.run.id] = [chosen[1], chosen[0]];
  const days = Map.groupBy(items, (change) => isoTime(change.from).slice(0, 10));
  return html`<form class="panel" method="get" action="${historyPath(frame, spec)}#comparison"><input type="hidden" name="lane" value="${lane}">
<div class="panel-head">${icon(frame, 'history')}<h2>Revisions</h2>${items.length > 1 ? html`<button class="button is-small end">${icon(frame, 'compare')}Compare two</button>` : ''}</div>
${items.length > 1 ? html`<p class="choose-legend small muted" aria-hidden="true"><span>From</span><span>To</span></p>` : ''}${[
    ...days,
  ].map(
    ([day, ofDay]) =>
      html`<section><h3 class="panel-sub">${dayName(Date.parse(day))}</h3><ol class="rows timeline">${ofDay.map(
        (change) =>
          row(frame, change, {
            isLive: isNewest && change === items[0],
            from,
            to,
            isAlone: items.length < 2,
          }),
      )}</ol></section>`,
  )}</form>${older(frame, ['specs', spec, 'history'], { lane }, next)}`;
}

function row(
  frame: Frame,
  change: Change,
  {
    isLive,
    from,
    to,
    isAlone,
  }: { isLive: boolean; from: string | undefined; to: string | undefined; isAlone: boolean },
): Html {
  const { run, commit, by, until } = change;
  const isGone = run.event === 'teardown';
  const radio = (name: 'from' | 'to', chosen: string | undefined) =>
    html`<input type="radio" name="${name}" value="${run.id}" aria-label="Compare ${name} ${run.sha.slice(0, 7)}, ${clock(change.from)}"${chosen === run.id ? html` checked` : ''}>`;
  const title = isGone ? 'Taken down' : (commit?.title ?? causeOf(run));
  return html`<li class="run-row">${isAlone ? '' : html`<span class="choose above">${radio('from', from)}${radio('to', to)}</span>`}
<div class="cut"><p class="cut"><a class="plain strong row-link" href="${runPath(frame, run.id)}">${title}</a></p>
<p class="meta"><span>${shortSha(run.sha)}</span>${refOf(frame, run)}<span>${causeOf(run)}${by === undefined ? '' : html` by ${by}`}</span></p>${
    change.reason === undefined
      ? ''
      : html`<p class="small tone is-warning break">${icon(frame, 'undo', 'is-small')} ${change.reason}</p>`
  }</div>
<div class="row-end">${isLive && !isGone ? html`<span class="badge is-succeeded">Live</span>` : ''}<div class="small muted row-times"><p class="num" title="${exact(change.from)}">${clock(change.from)}</p><p>${lasted(frame, change.from, until)}</p></div></div></li>`;
}

function lasted(frame: Frame, from: number, until: number | undefined): string {
  return `for ${durationText(Math.max(0, (until ?? frame.now) - from))}`;
}

/** The time of day, UTC. */
const clock = (at: number) => isoTime(at).slice(11, 16);

const NAMES = new Intl.DateTimeFormat('en-GB', {
  weekday: 'long',
  day: 'numeric',
  month: 'long',
  year: 'numeric',
  timeZone: 'UTC',
});

const dayName = (at: number) => NAMES.format(at);
