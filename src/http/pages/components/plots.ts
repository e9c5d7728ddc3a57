import type { Percentiles } from '../../../model/insights.ts';
import type { InsightsView } from '../../read/insights.ts';
import { html, type Content, type Html } from '../html.ts';
import { durationTicks, shareTicks } from './axis.ts';
import { deploymentsPlot, linesPlot, type Series } from './plot.ts';
import { durationText } from './time.ts';

/** The axis of failures goes up to that at least: one of a hundred is no mountain. */
const LEAST_RATE = 0.2;

/** The four metrics over time, the lead time from the commit and from the push. */
export function plots(view: InsightsView): Html {
  const durations = (
    title: string,
    name: 'commitToLive' | 'pushToLive' | 'timeToRestore',
    { about = '', none }: { about?: string; none: string },
  ) => {
    const series = spans((bucket) => bucket[name]);
    const plot = linesPlot(view, { title, series, ticks: durationTicks, textOf: durationText });
    return panel(title, { about, none, legend: plot && legendOf(series), plot });
  };
  const rate: Series = { kind: 'is-rate', name: 'failed', of: (of) => of.changeFailureRate };
  const title = 'Change failure rate';
  return html`<div class="plots">
${panel('Deployments', {
  legend: html`<span class="key is-live">Live</span><span class="key is-failed">Failed or rolled back</span>`,
  plot: deploymentsPlot(view),
})}
${durations('Lead time, commit to live', 'commitToLive', {
  about: view.lookedInto === undefined ? '' : `Commits${ofNewest(view.lookedInto)}.`,
  none: 'The time of no commit is known.',
})}
${durations('Lead time, push to live', 'pushToLive', { none: 'No push went live.' })}
${panel(title, {
  legend: html`<span class="key is-rate">Failed or rolled back</span>`,
  plot: linesPlot(view, {
    title,
    series: [rate],
    ticks: shareTicks,
    textOf: (value) => `${Math.round(value * 100)} %`,
    least: LEAST_RATE,
  }),
})}
${durations('Time to restore', 'timeToRestore', { none: 'Nothing had to be restored, or nothing has been.' })}
</div>`;
}

/** Says of how many runs something is, where it is not of all. */
export function ofNewest(count: number | undefined): string {
  return count === undefined ? '' : ` of the newest ${count.toLocaleString('en')} runs`;
}

function spans(of: (bucket: InsightsView['buckets'][number]) => Percentiles | undefined): Series[] {
  return [
    { kind: 'is-median', name: 'Median', of: (bucket) => of(bucket)?.p50 },
    { kind: 'is-most', name: '90 %', of: (bucket) => of(bucket)?.p90 },
  ];
}

function legendOf(series: readonly Series[]): Content {
  return series.map(({ kind, name }) => html`<span class="key ${kind}">${name}</span>`);
}

function panel(
  title: string,
  {
    legend,
    plot,
    about = '',
    none = '',
  }: { legend: Content; plot: Html | undefined; about?: string; none?: string },
): Html {
  return html`<section class="panel"><div class="panel-head"><h2>${title}</h2>${
    plot === undefined ? '' : html`<p class="legend small end">${legend}</p>`
  }</div>
<div class="plot-room">${plot ?? html`<p class="muted plot-none">${none}</p>`}${
    about === '' ? '' : html`<p class="small muted">${about}</p>`
  }</div></section>`;
}
