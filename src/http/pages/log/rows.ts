import { isoTime } from '../../../lib/clock.ts';
import { escapeHtml, Html } from '../html.ts';
import { renderLine } from './ansi.ts';
import { groupOf } from './groups.ts';
import type { BlockStart, LogLine } from './log-index.ts';

/** The number that people see of a step, and that links name: 0 for what is before the first. */
export const shownStep = (index: number): number => index + 1;

/**
 * Lines as rows, each with the id `<step>.<line>` that links name. Groups are folded; one that goes on from the block before
 * is begun once more.
 */
export function renderRows(step: number, lines: readonly LogLine[], start: BlockStart): Html {
  let { style, group: open } = start;
  let html = open === undefined ? '' : groupHead(`${open} (continued)`, undefined);
  for (const line of lines) {
    const id = `${shownStep(step)}.${line.number + 1}`;
    const group = groupOf(line.text);
    if (group === undefined) {
      const { html: text, after } = renderLine(line.text, style);
      style = after;
      html += row(id, line, text);
      continue;
    }
    if (open !== undefined) html += '</details>';
    open = group === 'end' ? undefined : group.name;
    html += open === undefined ? `<div class="is-end" id="${id}"></div>` : groupHead(open, id);
  }
  return new Html(open === undefined ? html : `${html}</details>`);
}

function groupHead(title: string, id: string | undefined): string {
  const name = id === undefined ? '' : ` id="${id}"`;
  return `<details class="g"><summary class="l"${name}><span class="n">${id?.split('.')[1] ?? ''}</span><span>${escapeHtml(title)}</span></summary>`;
}

function row(id: string, { at, stream }: LogLine, text: string): string {
  const kind = stream === 'stdout' ? '' : ` is-${stream}`;
  return `<div class="l${kind}" id="${id}">${number(id, at)}<span>${text}</span></div>`;
}

function number(id: string, at?: number): string {
  const time = at === undefined ? '' : ` title="${isoTime(at)}"`;
  return `<a class="n" href="#${id}"${time}>${id.split('.')[1]}</a>`;
}
