import { cutText } from '../../../lib/cut-text.ts';
import type { PathsShown } from '../../read/path-tables.ts';
import { html, type Content } from '../html.ts';
import { icon, type Frame } from '../layout.ts';

/** Characters of a path or pattern. */
const MOST_TEXT = 300;

/** Each changed file beside the pattern that it met; in a sentence that they are not kept. */
export function pathTable(frame: Frame, view: PathsShown | undefined): Content {
  if (view === 'not-kept') {
    return html`<p class="verdict-text small muted">Git alone knew the changed files: they are not stored. The condition says which file or pattern decided.</p>`;
  }
  if (view === undefined || view.files === 0) return '';
  const { condition, rows, files, counting, compared, asOf } = view;
  const more = files - rows.length;
  const isCut = compared < files;
  return html`<details class="verdict-text small"><summary class="muted">${icon(frame, 'chevron-right', 'is-small')} ${counting} of ${isCut ? html`${compared} compared` : files} ${files === 1 ? 'file counts' : 'files count'} for <code>${condition}</code>${asOf === 'now' ? ', as the spec is now' : ''}</summary>
<div class="table-room" role="region" aria-label="Changed files and patterns" tabindex="0"><table class="figures-table conditions"><thead><tr><th scope="col">Changed file</th><th scope="col">Counts</th><th scope="col">Pattern</th></tr></thead><tbody>${rows.map(
    ({ path, by, counts }) =>
      html`<tr><th scope="row" class="mono break">${cutText(path, MOST_TEXT)}</th><td><span class="tone is-${counts ? 'held' : 'unheld'}">${icon(frame, counts ? 'check' : 'x')}<span class="for-readers">${counts ? 'yes' : 'no'}</span></span></td><td class="break">${by === undefined ? html`<span class="muted">none</span>` : html`<code>${cutText(by, MOST_TEXT)}</code>`}</td></tr>`,
  )}</tbody></table></div>${
    more > 0
      ? html`<p class="muted">and ${more} more${isCut ? `, ${files - compared} of them not compared: too much work` : ''}</p>`
      : ''
  }</details>`;
}
