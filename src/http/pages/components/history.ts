import { RUN_STATES, type Run } from '../../../model/run.ts';
import { html, type Content, type Html } from '../html.ts';

const SHOWN = 10;
const STEP = 10;
const LOWEST = 5;
const HEIGHT = 22;

/**
 * The last runs as bars, oldest first: the colour is how each ended, the height how long it took beside the others. The list of
 * runs says the same to those who listen. One path for
 * each state: of 200 specs an element for each run would be most of the page.
 */
export function historyBars(recent: readonly Run[]): Content {
  const runs = recent.slice(0, SHOWN).toReversed();
  if (runs.length === 0) return '';
  const longest = Math.max(1, ...runs.map(durationOf));
  const left = (SHOWN - runs.length) * STEP + STEP / 2 - 1;
  const bars = runs.map((run, index) => {
    const height = Math.max(LOWEST, Math.round((durationOf(run) / longest) * HEIGHT));
    return { state: run.state, path: `M${left + index * STEP} ${HEIGHT - height}V${HEIGHT}` };
  });
  const paths = RUN_STATES.flatMap((state): Html[] => {
    const path = bars.flatMap((bar) => (bar.state === state ? bar.path : [])).join('');
    if (path === '') return [];
    return [
      state === 'succeeded'
        ? html`<path d="${path}"/>`
        : html`<path class="is-${state}" d="${path}"/>`,
    ];
  });
  return html`<svg class="history" aria-hidden="true">${paths}</svg>`;
}

function durationOf({ startedAt, finishedAt }: Run): number {
  return startedAt === undefined || finishedAt === undefined ? 0 : finishedAt - startedAt;
}
