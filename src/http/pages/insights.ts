import { isoTime } from '../../lib/clock.ts';
import type { Metrics, Percentiles, Range } from '../../model/insights.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store } from '../../store/index.ts';
import type { InsightsView, ReadInsights } from '../read/insights.ts';
import { bucketText, rangeText } from './components/axis.ts';
import { empty } from './components/empty.ts';
import { filterForm, select } from './components/list.ts';
import { ofNewest, plots } from './components/plots.ts';
import { rangeAsked, rangeFields, rangePresets } from './components/range.ts';
import { durationText } from './components/time.ts';
import { html, pathTo, type Content, type Html } from './html.ts';
import { icon, type Frame } from './layout.ts';
import { asked, costly, get, type PageRoute } from './page.ts';

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
    costly(
      'always',
      get('/insights', async ({ frame, query }, viewer) => {
        const filter = { spec: asked(query, 'spec', 63), environment: asked(query, 'environment') };
        const range = rangeAsked(query, frame.now);
        const specs = deps.catalog
          .current()
          .specs.filter(({ spec }) => viewer.canSee(spec.repository))
          .map(({ spec }) => spec.name);
        const places = (await deps.store.environments.list())
          .filter(({ repository }) => viewer.canSee(repository))
          .map(({ environment }) => environment);
        const list =
          typeof range.range === 'string'
            ? html`<div class="note is-warning">${icon(frame, 'alert')}<p>${range.range}</p></div>`
            : shown(
                frame,
                await deps.readInsights(range.range, { ...filter, visible: viewer.visible }),
                downloads(range.range, filter),
              );
        const body = html`<main id="main" class="page">
<div class="page-head"><div><h1>Insights</h1><p class="muted">How often, how fast and how well: the <a href="${DORA}" rel="noreferrer">four metrics of DORA</a>, in UTC.</p></div></div>
${filterForm(frame, 'insights', [
  select('spec', 'All specs', specs.sort(), filter.spec),
  select('environment', 'All environments', [...new Set(places)].sort(), filter.environment),
  rangeFields(range),
])}
<div id="list">${rangePresets(frame, 'insights', range, filter)}${list}</div>
</main>`;
        return { page: { title: 'Insights', section: 'Insights', body } };
      }),
    ),
  ];
}

/** Where the same is for programs and spreadsheets. */
function downloads(
  { from, to }: Range,
  filter: Readonly<Record<string, string | undefined>>,
): Record<'json' | 'groups' | 'buckets' | 'steps', string> {
  const path = (more: Readonly<Record<string, string>>) =>
    pathTo(['api', 'v1', 'insights'], { ...filter, from: isoTime(from), to: isoTime(to), ...more });
  const csv = (table: string) => path({ format: 'csv', table });
  return {
    json: path({ format: 'json' }),
    groups: csv('groups'),
    buckets: csv('buckets'),
    steps: csv('steps'),
  };
}

function shown(frame: Frame, view: InsightsView, at: ReturnType<typeof downloads>): Content {
  const about = html`<p class="small muted range-told">${rangeText(view.range)}, by ${view.unit}${
    view.isWhole
      ? ''
      : '. There were more runs than are looked at: these are the newest, and all figures are of them'
  }</p>`;
  if (view.all.deployments === 0) {
    const text = `No deployment ended in this time. Nothing has to be set up: the figures come from the runs.`;
    return [
      about,
      html`<div class="panel">${empty(frame, { sign: 'pulse', title: 'Nothing to tell yet', text })}</div>`,
    ];
  }
  const link = (to: string, text: string) =>
    html`<a class="button" href="${frame.root}${to}">${icon(frame, 'download')}${text}</a>`;
  return [
    about,
    cards(view.all),
    plots(view),
    bucketTable(frame, view),
    groupTable(view),
    timeTable(view),
    stepTable(view),
    html`<p class="pager buttons" aria-label="The same for programs">${link(at.buckets, 'Over time as CSV')}${link(at.groups, 'Specs as CSV')}${
      view.steps.length === 0 ? '' : link(at.steps, 'Steps as CSV')
    }${link(at.json, 'All as JSON')}</p>`,
  ];
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

/** The plots for those who do not see them, or want the figures. */
function bucketTable(frame: Frame, { unit, buckets }: InsightsView): Html {
  const rows = buckets.map((of) => [
    html`<th scope="row">${bucketText(of, unit)}</th>`,
    number(String(of.deployments)),
    number(of.deployments === 0 ? '–' : String(of.failed)),
    number(share(of.changeFailureRate)),
    ...[of.commitToLive, of.pushToLive, of.timeToRestore].flatMap((span) => [
      number(median(span)),
      number(most(span)),
    ]),
  ]);
  const heads = ['Commit to live', 'Push to live', 'Restore'].flatMap((of) => [of, '90 %']);
  return html`<details class="panel plot-table"><summary class="panel-head">${icon(frame, 'chevron-right', 'is-small')}<h2>The plots as a table</h2></summary>
${tableOf('The plots as a table', [unit === 'day' ? 'Day' : 'Week', 'Deployments', 'Failed', 'Failures', ...heads], rows)}</details>`;
}

function groupTable({ groups }: InsightsView): Html {
  const rows = groups
    .toSorted((a, b) => b.deployments - a.deployments)
    .slice(0, SHOWN)
    .map((of) => [
      groupHead(of),
      number(String(of.deployments)),
      number(frequency(of.perDay)),
      number(median(of.commitToLive)),
      number(median(of.pushToLive)),
      number(share(of.changeFailureRate)),
      number(median(of.timeToRestore)),
    ]);
  return table(
    'Specs',
    `medians${groups.length > SHOWN ? `, the ${SHOWN} with most deployments` : ''}`,
    ['Spec', 'Deployments', 'Frequency', 'Commit to live', 'Push to live', 'Failures', 'Restore'],
    rows,
  );
}

/** How long runs waited and took: of all, and of those that waited longest. */
function timeTable({ all, groups }: InsightsView): Html {
  const row = (head: Html, { queue, duration }: Metrics) => [
    head,
    number(String(queue?.count ?? 0)),
    ...[queue, duration].flatMap((of) => [
      number(median(of)),
      number(most(of)),
      number(of === undefined ? '–' : durationText(of.p99)),
    ]),
  ];
  const rows = groups
    .toSorted((a, b) => (b.queue?.p90 ?? 0) - (a.queue?.p90 ?? 0))
    .slice(0, SHOWN)
    .map((of) => row(groupHead(of), of));
  return table(
    'Waiting and running',
    'from queued to started, and from there to the end',
    ['Spec', 'Runs', 'Wait, median', '90 %', '99 %', 'Run, median', '90 %', '99 %'],
    groups.length === 1 ? rows : [row(html`<th scope="row">All</th>`, all), ...rows],
  );
}

function stepTable({ steps, lookedInto }: InsightsView): Content {
  if (steps.length === 0) return '';
  const rows = steps
    .slice(0, SHOWN)
    .map(({ spec, step, count, p50, p90, p99 }) => [
      html`<th scope="row">${step}<span class="muted"> ${spec}</span></th>`,
      number(String(count)),
      ...[p50, p90, p99].map((ms) => number(durationText(ms))),
    ]);
  const about = `that succeeded${ofNewest(lookedInto)}, the slowest first`;
  return table('Steps', about, ['Step', 'Runs', 'Median', '90 %', '99 %'], rows);
}

function table(
  title: string,
  about: string,
  heads: readonly string[],
  rows: readonly Content[][],
): Html {
  return html`<section class="panel"><div class="panel-head"><h2>${title}</h2><span class="muted small end">${about}</span></div>
${tableOf(title, heads, rows)}</section>`;
}

function tableOf(title: string, heads: readonly string[], rows: readonly Content[][]): Html {
  return html`<div class="table-room" role="region" aria-label="${title}" tabindex="0"><table class="figures-table small"><thead><tr>${heads.map(
    (head) => html`<th scope="col">${head}</th>`,
  )}</tr></thead><tbody>${rows.map((cells) => html`<tr>${cells}</tr>`)}</tbody></table></div>`;
}

function groupHead({ spec, environment }: InsightsView['groups'][number]): Html {
  return html`<th scope="row">${spec}<span class="muted"> ${environment}</span></th>`;
}

function number(text: string): Html {
  return html`<td class="num">${text}</td>`;
}

function median(of: Percentiles | undefined): string {
  return of === undefined ? '–' : durationText(of.p50);
}

function most(of: Percentiles | undefined): string {
  return of === undefined ? '–' : durationText(of.p90);
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
