import { isoTime } from '../../../lib/clock.ts';
import { createFairTurn } from '../../../lib/fair-turn.ts';
import { escapeHtml, Html } from '../html.ts';
import { lastWritten, renderLine } from './ansi.ts';
import { groupOf } from './groups.ts';
import type { BlockStart, LogLine } from './log-index.ts';

/** UTF-16 units of a line that are shown: of more each page would be too large, and the raw log has them. */
const LONGEST_LINE = 50_000;

/** The number that people see of a step, and that links name: 0 for what is before the first. */
export const shownStep = (index: number): number => index + 1;

/** A group's first line: what it is called, and its id, if it stands in this block. */
interface GroupHead {
  title: string;
  id: string | undefined;
}

/**
 * Lines as rows, each with the id `<step>.<line>` that links name. Groups are folded, but for the one that has not ended at the end
 * of the log: there it went wrong, or goes on. One that goes on from the block before is begun once more. Other work has its turn between lines.
 */
export async function renderRows(
  step: number,
  lines: readonly LogLine[],
  start: BlockStart,
  isEndOfLog: boolean,
): Promise<Html> {
  let { style } = start;
  let group: GroupHead | undefined =
    start.group === undefined ? undefined : { title: `${start.group} (continued)`, id: undefined };
  let before = '';
  let rows = '';
  const fairTurn = createFairTurn();
  for (const line of lines) {
    await fairTurn();
    const id = `${shownStep(step)}.${line.number + 1}`;
    const mark = groupOf(line.text);
    if (mark === undefined) {
      const whole = lastWritten(line.text);
      const { html: text, after } = renderLine(whole.slice(0, LONGEST_LINE), style);
      style = after;
      rows += row(id, line, whole.length > LONGEST_LINE ? `${text}…` : text);
      continue;
    }
    before += inGroup(group, rows, false);
    group = mark === 'end' ? undefined : { title: mark.name, id };
    rows = mark === 'end' ? `<div class="is-end" id="${id}"></div>` : '';
  }
  return new Html(before + inGroup(group, rows, isEndOfLog));
}

function inGroup(group: GroupHead | undefined, rows: string, isOpen: boolean): string {
  if (group === undefined) return rows;
  const { title, id } = group;
  const name = id === undefined ? '' : ` id="${id}"`;
  return `<details class="g"${isOpen ? ' open' : ''}><summary class="l"${name}><span class="n">${id?.split('.')[1] ?? ''}</span><span>${escapeHtml(title)}</span></summary>${rows}</details>`;
}

function row(id: string, { at, stream }: LogLine, text: string): string {
  const kind = stream === 'stdout' ? '' : ` is-${stream}`;
  return `<div class="l${kind}" id="${id}">${number(id, at)}<span>${text}</span></div>`;
}

function number(id: string, at?: number): string {
  const time = at === undefined ? '' : ` title="${isoTime(at)}"`;
  return `<a class="n" href="#${id}"${time}>${id.split('.')[1]}</a>`;
}
