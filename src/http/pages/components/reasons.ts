import type { Reason } from '../../../model/verdict.ts';
import { html, type Html } from '../html.ts';
import { icon, type Frame } from '../layout.ts';

/** Each condition that was looked at, whether it held, and what was compared with what. */
export function reasonList(frame: Frame, reasons: readonly Reason[]): Html {
  return html`<ul class="reasons">${reasons.map(
    ({ condition, held, detail }) =>
      html`<li><span class="tone is-${held ? 'held' : 'unheld'}">${icon(frame, held ? 'check' : 'x')}<span class="for-readers">${held ? 'held' : 'did not hold'}</span></span><span><code>${condition}</code> <span class="muted break">${detail}</span></span></li>`,
  )}</ul>`;
}
