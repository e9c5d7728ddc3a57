import { isoTime } from '../../lib/clock.ts';
import { DAY_MS, type Metrics, type Percentiles, type Range } from '../../model/insights.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store } from '../../store/index.ts';
import type { InsightsView, ReadInsights, StepInsight } from '../read/insights.ts';
import { deploymentsPlot } from './components/plot.ts';
import { empty } from './components/empty.ts';
import { filterForm, select } from './components/list.ts';
import { durationText } from './components/time.ts';
import { html, pathTo, type Content, type Html } from './html.ts';
import { icon, type Frame } from './layout.ts';
import { asked, type PageRoute } from './page.ts';

const RANGES = [7, 30, 90, 365];
const DEFAULT_DAYS = 30;
/** Rows of a table. */
const SHOWN = 50;
const DORA = 'https://dora.dev/guides/dora-metrics-four-keys/';

/** How often, how fast and how well: the four metrics of DORA. */
export function insightRoutes(deps: {
  store: Store;
  catalog: Catalog;
  readInsights: ReadInsights;
}): PageRoute[] {
  return [
    {
      method: 'get',
      path: '/insights',
      async serve({ frame, query }, viewer) {
        const days = RANGES.find((one) => String(one) === query.get('days')) ?? DEFAULT_DAYS;
        const filter = { spec: asked(query, 'spec', 63), environment: asked(query, 'environment') };
        // Whole days, and today as far as it is.
        const today = Math.floor(frame.now / DAY_MS) * DAY_MS;
        const range = { from: today - (days - 1) * DAY_MS, to: frame.now };
        const view = await deps.readInsights(range, { ...filter, visible: viewer.visible });
        const specs = deps.catalog
          .current()
          .specs.filter(({ spec }) => viewer.canSee(spec.repository))
          .map(({ spec }) => spec.name);
        const places = (await deps.store.environments.list())
          .filter(({ repository }) => viewer.canSee(repository))
          .map(({ environment }) => environment);
        const csv = pathTo(['api', 'v1', 'insights'], {
          ...filter,
          from: isoTime(range.from),
          to: isoTime(range.to),
          format: 'csv',
        });
        const canDownload = viewer.visible === undefined && view.groups.length > 0;
        const body = html`<main id="main" class="page">
<div class="page-head"><div><h1>Insights</h1><p class="muted">How often, how fast and how well: the <a href="${DORA}" rel="noreferrer">four metrics of DORA</a>, in UTC.</p></div></div>
${filterForm(frame, 'insights', [
  rangeSelect(days),
  select('spec', 'All specs', specs.sort(), filter.spec),
  select('environment', 'All environments', [...new Set(places)].sort(), filter.environment),
])}
<div id="list">${view.all.deployments === 0 ? nothing(frame, days) : shown(view, range)}${
          canDownload
            ? html`<p class="pager"><a class="button" href="${frame.root}${csv}">${icon(frame, 'download')}The same as CSV</a></p>`
            : ''
        }</div>
</main>`;
        return { page: { title: 'Insights', section: 'Insights', body } };
      },
    },
  ];
}

function rangeSelect(chosen: number): Html {
  return html`<select class="field" name="days" aria-label="Range">${RANGES.map(
    (days) =>
      html`<option value="${days}"${days === chosen ? html` selected` : ''}>${days} days</option>`,
  )}</select>`;
}

function nothing(frame: Frame, days: number): Html {
  const text = `No deployment ended in the last ${days} days. Nothing has to be set up: the figures come from the runs.`;
  return html`<div class="panel">${empty(frame, { sign: 'pulse', title: 'Nothing to tell yet', text })}</div>`;
}

function shown(view: InsightsView, range: Range): Content {
  return [cards(view.all), plotPanel(view, range), groupTable(view), stepTable(view.steps)];
}

function cards(all: Metrics): Html {
  const card = (name: string, value: string, about: Content) =>
    html`<div class="panel figure"><dt class="small muted">${name}</dt><dd><span class="figure-value num">${value}</span> <span class="small muted">${about}</span></dd></div>`;
  return html`<dl class="figures">
${card('Deployment frequency', frequency(all.perDay), `${all.succeeded} live`)}
${card('Lead time', median(all.commitToLive ?? all.pushToLive), all.commitToLive === undefined ? 'push to live, median' : `commit to live, median; from the push ${median(all.pushToLive)}`)}
${card('Change failure rate', share(all.changeFailureRate), `${all.failed} of ${all.deployments} deployments`)}
${card('Time to restore', median(all.timeToRestore), all.unrestored === 0 ? `median of ${all.timeToRestore?.count ?? 0}` : `median; ${all.unrestored} not restored`)}
</dl>`;
}

function plotPanel(view: InsightsView, range: Range): Html {
  return html`<section class="panel"><div class="panel-head"><h2>Deployments</h2><p class="legend small end"><span class="key is-live">Live</span><span class="key is-failed">Failed or rolled back</span></p></div>
<div class="plot-room">${deploymentsPlot(view.days, range)}</div>${
    view.isWhole
      ? ''
      : html`<p class="small muted plot-room">There were more runs than are looked at: these are the newest.</p>`
  }</section>`;
}

function groupTable({ groups }: InsightsView): Html {
  const rows = groups
    .toSorted((a, b) => b.deployments - a.deployments)
    .slice(0, SHOWN)
    .map((of) => [
      html`<th scope="row">${of.spec}<span class="muted"> ${of.environment}</span></th>`,
      number(String(of.deployments)),
      number(frequency(of.perDay)),
      number(median(of.commitToLive)),
      number(median(of.pushToLive)),
      number(share(of.changeFailureRate)),
      number(median(of.timeToRestore)),
      number(median(of.queue)),
      number(median(of.duration)),
    ]);
  return table(
    'Specs',
    `medians${groups.length > SHOWN ? `, the ${SHOWN} with most deployments` : ''}`,
    [
      'Spec',
      'Deployments',
      'Frequency',
      'Commit to live',
      'Push to live',
      'Failures',
      'Restore',
      'Queue',
      'Run',
    ],
    rows,
  );
}

function stepTable(steps: readonly StepInsight[]): Content {
  if (steps.length === 0) return '';
  const rows = steps
    .slice(0, SHOWN)
    .map(({ spec, step, count, p50, p90, p99 }) => [
      html`<th scope="row">${step}<span class="muted"> ${spec}</span></th>`,
      number(String(count)),
      ...[p50, p90, p99].map((ms) => number(durationText(ms))),
    ]);
  const about = `that succeeded, the slowest first`;
  return table('Steps', about, ['Step', 'Runs', 'Median', '90 %', '99 %'], rows);
}

function table(
  title: string,
  about: string,
  heads: readonly string[],
  rows: readonly Content[][],
): Html {
  return html`<section class="panel"><div class="panel-head"><h2>${title}</h2><span class="muted small end">${about}</span></div>
<div class="table-room" role="region" aria-label="${title}" tabindex="0"><table class="figures-table small"><thead><tr>${heads.map(
    (head) => html`<th scope="col">${head}</th>`,
  )}</tr></thead><tbody>${rows.map((cells) => html`<tr>${cells}</tr>`)}</tbody></table></div></section>`;
}

function number(text: string): Html {
  return html`<td class="num">${text}</td>`;
}

function median(of: Percentiles | undefined): string {
  return of === undefined ? '–' : durationText(of.p50);
}

function share(of: number | undefined): string {
  return of === undefined ? '–' : `${Math.round(of * 100)} %`;
}

/** In the unit in which it is at least one, if one is. */
function frequency(perDay: number): string {
  if (perDay === 0) return '–';
  const [value, unit] =
    perDay >= 1 ? [perDay, 'day'] : perDay * 7 >= 1 ? [perDay * 7, 'week'] : [perDay * 30, 'month'];
  return `${value.toFixed(1)} a ${unit}`;
}
