import type { Bucket, Insights } from '../../../model/insights.ts';
import { html, type Content, type Html } from '../html.ts';
import { bucketText, countTicks, dated, dateText, type Tick } from './axis.ts';

/** Pixels from the top: of the highest line, the axis, and the dates below it. */
const TOP = 16;
const AXIS = 156;
const DATES = 176;
/** Of a bar, in percent of the plot: one alone is no wall. */
const WIDEST = 8;
/** Dates below a plot that is wide, and one that is narrow. */
const MOST_DATES = 6;
const FEW_DATES = 4;

/** A line of a plot: how it is drawn, what it is called, and its value in each bucket; undefined: a gap. */
export interface Series {
  kind: 'is-median' | 'is-most' | 'is-rate';
  name: string;
  of: (bucket: Bucket) => number | undefined;
}

type Buckets = Pick<Insights, 'unit' | 'buckets'>;

/** Deployments over time, as bars. */
export function deploymentsPlot({ unit, buckets }: Buckets): Html {
  const ticks = countTicks(Math.max(...buckets.map(({ deployments }) => deployments)));
  const y = heightIn(ticks);
  const wide = 100 / buckets.length;
  const width = Math.min(wide * 0.7, WIDEST);
  const sum = (key: 'deployments' | 'failed') => buckets.reduce((all, of) => all + of[key], 0);
  const bars = buckets.map((bucket, index) => {
    const { deployments, failed } = bucket;
    const live = deployments - failed;
    const bar = (kind: string, low: number, high: number) =>
      low === high
        ? ''
        : html`<rect class="plot-bar ${kind}" x="${wide * (index + 0.5) - width / 2}%" width="${width}%" y="${y(high)}" height="${y(low) - y(high)}"/>`;
    return html`<g><title>${bucketText(bucket, unit)}: ${live} live, ${failed} failed</title>${bar('is-live', 0, live)}${bar('is-failed', live, deployments)}</g>`;
  });
  const live = sum('deployments') - sum('failed');
  const about = `${live} live, ${sum('failed')} failed or rolled back`;
  return frame({ unit, buckets }, { ticks, title: 'Deployments', about, content: bars });
}

/** Values over time, as lines that stop where there is nothing to tell. Undefined: there is nothing at all. */
export function linesPlot(
  { unit, buckets }: Buckets,
  plot: {
    title: string;
    series: readonly Series[];
    ticks: (most: number) => Tick[];
    textOf: (value: number) => string;
    /** The axis goes up to that at least. */
    least?: number;
  },
): Html | undefined {
  const values = buckets.flatMap((bucket) => plot.series.flatMap(({ of }) => of(bucket) ?? []));
  if (values.length === 0) return undefined;
  const ticks = plot.ticks(Math.max(plot.least ?? 0, ...values));
  const y = heightIn(ticks);
  const about = plot.series.flatMap(({ name, of }) => {
    const own = buckets.flatMap((bucket) => of(bucket) ?? []);
    if (own.length === 0) return [];
    const ends = [Math.min(...own), Math.max(...own)].map(plot.textOf);
    return `${name} ${[...new Set(ends)].join(' to ')}`;
  });
  // Behind are the lines that matter less.
  const lines = plot.series.toReversed().map(({ kind, of }) => {
    const { line, dots } = pathOf(buckets.map(of), (value) => y(value) - TOP);
    return html`<path class="plot-path ${kind}" d="${line}"/><path class="plot-dots ${kind}" d="${dots}"/>`;
  });
  const content = [
    html`<svg class="plot-data" y="${TOP}" width="100%" height="${AXIS - TOP}" viewBox="0 0 ${buckets.length} ${AXIS - TOP}" preserveAspectRatio="none">${lines}</svg>`,
    buckets.map((bucket, index) => {
      const told = plot.series.flatMap(({ name, of }) => {
        const value = of(bucket);
        return value === undefined ? [] : `${name} ${plot.textOf(value)}`;
      });
      if (told.length === 0) return '';
      const wide = 100 / buckets.length;
      return html`<rect class="plot-spot" x="${wide * index}%" width="${wide}%" y="${TOP}" height="${AXIS - TOP}"><title>${bucketText(bucket, unit)}: ${told.join(', ')}</title></rect>`;
    }),
  ];
  return frame({ unit, buckets }, { ticks, title: plot.title, about: about.join('; '), content });
}

/**
 * Lines with what they stand for, and dates below. Across it is measured in percent and not with a view box, so that text has
 * its size however wide the page is.
 */
function frame(
  { unit, buckets }: Buckets,
  {
    ticks,
    title,
    about,
    content,
  }: { ticks: readonly Tick[]; title: string; about: string; content: Content },
): Html {
  const y = heightIn(ticks);
  const [first, last] = [buckets[0]?.from ?? 0, buckets.at(-1)?.to ?? 0];
  const dates = dated(buckets.length, MOST_DATES);
  return html`<svg class="plot" role="img" aria-label="${title}, each ${unit} from ${dateText(first)} to ${dateText(last - 1)}: ${about}">
${ticks.map(
  ({ value, text }) =>
    html`<line class="plot-line" x1="0" x2="100%" y1="${y(value)}" y2="${y(value)}"/><text class="plot-text" x="-8" y="${y(value) + 4}" text-anchor="end">${text}</text>`,
)}
${content}
${dates.map((index, place) => {
  const isExtra = dates.length > FEW_DATES && place % 2 === 1;
  return html`<text class="plot-text${isExtra ? ' is-extra' : ''}" x="${(100 * (index + 0.5)) / buckets.length}%" y="${DATES}" text-anchor="middle">${dateText(buckets[index]?.from ?? first)}</text>`;
})}
</svg>`;
}

/** How far from the top a value is. */
function heightIn(ticks: readonly Tick[]): (value: number) => number {
  const most = ticks.at(-1)?.value ?? 1;
  return (value) => AXIS - Math.round((value / most) * (AXIS - TOP) * 10) / 10;
}

/** A line through the values that follow each other, and a dot for each. Across, a bucket is 1 wide. */
function pathOf(
  values: readonly (number | undefined)[],
  y: (value: number) => number,
): { line: string; dots: string } {
  let [line, dots] = ['', ''];
  for (const [index, value] of values.entries()) {
    if (value === undefined) continue;
    const at = `${index + 0.5} ${Math.round(y(value) * 10) / 10}`;
    line += `${values[index - 1] === undefined ? 'M' : 'L'}${at}`;
    dots += `M${at}h0`;
  }
  return { line, dots };
}
