import type { LoadedSpec } from '../../../model/deployment-spec.ts';
import { isHeldBy, type Pause, type PauseTarget } from '../../../model/pause.ts';
import type { Viewer } from '../../auth/viewer.ts';
import { html, type Content, type Html } from '../html.ts';
import { icon, type Frame } from '../layout.ts';
import { ago } from './time.ts';

/** Who paused something, when and why. `more`: what stands at its end. */
export function pauseNote(frame: Frame, pause: Pause, more: Content = ''): Html {
  const { kind, name, since, by, reason } = pause;
  return html`<div class="note is-paused spec-note">${icon(frame, 'pause')}<p class="grow break">Paused by <span class="strong">${by}</span> ${ago(since, frame.now)}${kind === 'lane' ? html`, with the lane ${name}` : ''}${reason === '' ? '' : html`: ${reason}`}</p>${more}</div>`;
}

/** The specs that a pause of `target` holds. */
export function heldSpecs(specs: readonly LoadedSpec[], target: PauseTarget): LoadedSpec['spec'][] {
  return specs
    .map(({ spec }) => spec)
    .filter(({ name, concurrency: { lane } }) => isHeldBy({ spec: name, lane }, target));
}

/** Whether a viewer may resume all that a pause holds. A pause outlives its spec: only who may see everything resumes it then. */
export function mayResume(viewer: Viewer, specs: readonly LoadedSpec[], pause: Pause): boolean {
  const held = heldSpecs(specs, pause);
  return held.length === 0
    ? viewer.visible === undefined
    : held.every(({ repository }) => viewer.canDo('resume', repository));
}
