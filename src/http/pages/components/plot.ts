import { DAY_MS, type Day, type Range } from '../../../model/insights.ts';
import { html, type Html } from '../html.ts';

/** Days that have a bar each; of more, each week has one. */
const MOST_DAYS = 62;
/** Lines above the axis. */
const LINES = 3;
/** Pixels from the top: of the highest line, the axis, and the dates below it. */
const TOP = 16;
const AXIS = 156;
const DATES = 176;
/** Where the bars begin, in percent: numbers stand before them. */
const LEFT = 8;

/**
 * Deployments over time, as bars. Across it is measured in percent and not with a view box, so that text has its size however
 * wide the page is.
 */
export function deploymentsPlot(days: readonly Day[], { from, to }: Range): Html {
  const bars = days.length > MOST_DAYS ? weeksOf(days) : days;
  const most = Math.max(1, ...bars.map(({ succeeded, failed }) => succeeded + failed));
  const step = stepFor(most / LINES);
  const y = (count: number) => AXIS - (count / (step * LINES)) * (AXIS - TOP);
  const wide = (100 - LEFT) / bars.length;
  const sum = (key: 'succeeded' | 'failed') => days.reduce((all, day) => all + day[key], 0);
  const unit = bars === days ? 'day' : 'week';
  return html`<svg class="plot" role="img" aria-label="Deployments each ${unit} from ${dayText(from)} to ${dayText(to)}: ${sum('succeeded')} live, ${sum('failed')} failed or rolled back">
${Array.from({ length: LINES + 1 }, (_, line) => {
  const at = y(line * step);
  return html`<line class="plot-line" x1="${LEFT}%" x2="100%" y1="${at}" y2="${at}"/><text class="plot-text" x="${LEFT - 1.5}%" y="${at + 4}" text-anchor="end">${line * step}</text>`;
})}
${bars.map(({ at, succeeded, failed }, index) => {
  const x = LEFT + wide * (index + 0.15);
  const bar = (kind: string, low: number, high: number) =>
    low === high
      ? ''
      : html`<rect class="plot-bar ${kind}" x="${x}%" width="${wide * 0.7}%" y="${y(high)}" height="${y(low) - y(high)}"/>`;
  return html`<g><title>${dayText(at)}: ${succeeded} live, ${failed} failed</title>${bar('is-live', 0, succeeded)}${bar('is-failed', succeeded, succeeded + failed)}</g>`;
})}
${labelled(bars.length).map((index) => {
  const isLast = index === bars.length - 1 && index > 0;
  const at = LEFT + wide * (index + (isLast ? 1 : 0));
  return html`<text class="plot-text" x="${at}%" y="${DATES}" text-anchor="${isLast ? 'end' : 'start'}">${dayText(bars[index]?.at ?? from)}</text>`;
})}
</svg>`;
}

/** At least so many between two lines, as a number that people count in. */
function stepFor(least: number): number {
  return least > 5 ? Math.ceil(least / 5) * 5 : Math.ceil(least);
}

/** Which bars have a date below: the first, the last, and one between. */
function labelled(count: number): number[] {
  return [...new Set([0, Math.floor(count / 2), count - 1])];
}

function weeksOf(days: readonly Day[]): Day[] {
  const weeks = Map.groupBy(days, ({ at }) => Math.floor((at - (days[0]?.at ?? 0)) / (7 * DAY_MS)));
  return [...weeks.values()].map((week) => ({
    at: week[0]?.at ?? 0,
    succeeded: week.reduce((all, { succeeded }) => all + succeeded, 0),
    failed: week.reduce((all, { failed }) => all + failed, 0),
  }));
}

const FORMAT = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  timeZone: 'UTC',
});

function dayText(at: number): string {
  return FORMAT.format(at);
}
