import type { RunState, StepState } from '../../../model/run.ts';
import { readAsset } from '../assets.ts';
import { Html, html } from '../html.ts';
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

/** A state's sign in a picture, at a place in it. Words beside it have to say the same. */
export function stateIconIn(frame: Frame, state: State, at: { x: number; y: number }): Html {
  const { root, assets } = frame;
  return html`<svg class="tone is-${state} icon" x="${at.x}" y="${at.y}" width="16" height="16" aria-hidden="true"><use href="${root}${assets.path('icons.svg')}#${ICONS[state]}"></use></svg>`;
}

/** A state with its sign and its name. */
export function stateBadge(frame: Frame, state: State, more = ''): Html {
  return html`<span class="badge is-${state} ${more}">${icon(
    frame,
    ICONS[state],
    state === 'running' ? 'is-running' : '',
  )}${stateName(state)}</span>`;
}

/** The sign of a state for `smallStateIcon`s of the page. */
export function stateSymbol(state: State): Html {
  return html`<svg class="for-readers" aria-hidden="true"><symbol id="${symbolId(state)}" viewBox="0 0 16 16">${new Html(SHAPES[ICONS[state]] ?? '')}</symbol></svg>`;
}

/** A state's sign in fewer bytes, for pages with hundreds of them, which have its `stateSymbol`. Words beside it say the same. */
export function smallStateIcon(state: State): Html {
  const tone = state === 'succeeded' ? '' : ` is-${state}`;
  return html`<svg class="icon${tone}" aria-hidden="true"><use href="#${symbolId(state)}"/></svg>`;
}

const symbolId = (state: State) => `s${Object.keys(ICONS).indexOf(state)}`;

/** The shapes of the sprite, by name. */
const SHAPES: Record<string, string> = Object.fromEntries(
  [
    ...readAsset('icons.svg')
      .toString()
      .matchAll(/<symbol id="([\w-]+)"[^>]*>(.*?)<\/symbol>/gs),
  ].map(([, name = '', shape = '']) => [name, shape]),
);
