import { html, pathTo, type Content, type Html } from '../html.ts';
import { BLOCK, type LogIndexes } from './log-index.ts';
import { renderRows, shownStep } from './rows.ts';

/** Where a run's page finds a block of a step's log. */
export function blockPath(root: string, run: string, step: number, from: number): string {
  return root + pathTo(['runs', run, 'log', String(shownStep(step))], { from: String(from) });
}

/**
 * A step's log as blocks. Those that are not `shown` are links, which the page's script follows as they come into sight. Shown
 * is the last one, where things went wrong or go on.
 */
export async function logSection(
  indexes: LogIndexes,
  {
    root,
    run,
    step,
    lines,
    shown,
  }: { root: string; run: string; step: number; lines: number; shown: boolean },
): Promise<Html> {
  const last = Math.ceil(lines / BLOCK) - 1;
  const blocks: Content[] = [];
  for (let index = 0; index <= last; index += 1) {
    const from = index * BLOCK;
    const count = Math.min(BLOCK, lines - from);
    const rows =
      shown && index === last
        ? await rowsOf(indexes, run, step, from)
        : html`<a class="muted" href="${blockPath(root, run, step, from)}">Lines ${from + 1} to ${from + count}</a>`;
    blocks.push(
      html`<div class="log-block" data-from="${from}" data-lines="${count}"${shown && index === last ? html` data-loaded` : ''}>${rows}</div>`,
    );
  }
  return html`${blocks}`;
}

export async function rowsOf(
  indexes: LogIndexes,
  run: string,
  step: number,
  from: number,
): Promise<Html> {
  const { lines, start } = await indexes.block(run, step, from);
  const all = (await indexes.count(run)).get(step)?.lines ?? 0;
  return await renderRows(step, lines, start, from + BLOCK >= all);
}
