import type { SeenPause } from '../../../model/pause.ts';
import { html, type Content, type Html } from '../html.ts';
import { icon, type Frame } from '../layout.ts';
import { ago } from './time.ts';

/** Who paused something, when and why. `more`: what stands at its end. */
export function pauseNote(frame: Frame, pause: SeenPause, more: Content = ''): Html {
  const { kind, name, since, by, reason } = pause;
  return html`<div class="note is-paused spec-note">${icon(frame, 'pause')}<p class="grow break">Paused${by === undefined ? '' : html` by <span class="strong">${by}</span>`} ${ago(since, frame.now)}${kind === 'lane' ? html`, with the lane ${name}` : ''}${reason === '' ? '' : html`: ${reason}`}</p>${more}</div>`;
}
