import type { Run } from '../../../model/run.ts';
import { html, type Html } from '../html.ts';
import type { Frame } from '../layout.ts';
import { runPath } from './commit.ts';
import { stateName } from './state.ts';
import { durationText } from './time.ts';

const SHOWN = 10;
const STEP = 10;
const LOWEST = 5;
const HEIGHT = 22;

/** The last runs as bars, oldest first: the colour is how each ended, the height how long it took beside the others. */
export function historyDots(frame: Frame, recent: readonly Run[]): Html {
  const runs = recent.slice(0, SHOWN).toReversed();
  const longest = Math.max(1, ...runs.map(durationOf));
  const width = SHOWN * STEP;
  const left = width - runs.length * STEP;
  return html`<svg class="history" viewBox="0 0 ${width} ${HEIGHT}" width="${width}" height="${HEIGHT}" role="group" aria-label="The last ${runs.length} runs">${runs.map(
    (run, index) => {
      const height = Math.max(LOWEST, Math.round((durationOf(run) / longest) * HEIGHT));
      const label = `${stateName(run.state)}, ${run.sha.slice(0, 7)}, ${durationText(durationOf(run))}`;
      return html`<a href="${runPath(frame, run.id)}" aria-label="${label}" class="is-${run.state}"><title>${label}</title><rect class="history-hit" x="${left + index * STEP}" y="0" width="${STEP}" height="${HEIGHT}"></rect><rect class="history-bar" x="${left + index * STEP + 1}" y="${HEIGHT - height}" width="${STEP - 3}" height="${height}" rx="2"></rect></a>`;
    },
  )}</svg>`;
}

function durationOf({ startedAt, finishedAt }: Run): number {
  return startedAt === undefined || finishedAt === undefined ? 0 : finishedAt - startedAt;
}
