import type { RunState, StepState } from '../../../model/run.ts';
import { html, type Html } from '../html.ts';
import { icon, type Frame } from '../layout.ts';

type State = RunState | StepState | 'paused' | 'sent' | 'dead' | 'obsolete' | 'none' | 'processed';

const ICONS: Record<State, string> = {
  queued: 'queued',
  blocked: 'blocked',
  running: 'running',
  succeeded: 'succeeded',
  failed: 'failed',
  cancelled: 'cancelled',
  superseded: 'superseded',
  pending: 'pending',
  skipped: 'superseded',
  paused: 'pause',
  sent: 'succeeded',
  dead: 'failed',
  obsolete: 'superseded',
  processed: 'check',
  none: 'pending',
};

/** What a state is called, for people. */
export function stateName(state: State): string {
  return state === 'none' ? 'Never deployed' : (state[0]?.toUpperCase() ?? '') + state.slice(1);
}

/** A state by its sign alone, in its colour; its name is said to those who listen and shown to those who point. */
export function stateIcon(frame: Frame, state: State): Html {
  return html`<span class="tone is-${state}" title="${stateName(state)}">${icon(
    frame,
    ICONS[state],
    state === 'running' ? 'is-running' : '',
  )}<span class="for-readers">${stateName(state)}</span></span>`;
}

/** A state with its sign and its name. */
export function stateBadge(frame: Frame, state: State, more = ''): Html {
  return html`<span class="badge is-${state} ${more}">${icon(
    frame,
    ICONS[state],
    state === 'running' ? 'is-running' : '',
  )}${stateName(state)}</span>`;
}
