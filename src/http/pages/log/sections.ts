import { hasEnded, type RunState, type Step } from '../../../model/run.ts';
import { waitingStep } from '../../../model/step-gate.ts';
import type { RunView } from '../../read/run.ts';
import { stateIcon } from '../components/state.ts';
import { durationText, since, took } from '../components/time.ts';
import { html, type Content, type Html } from '../html.ts';
import { icon, type Frame } from '../layout.ts';
import type { LogIndexes, StepLog } from './log-index.ts';
import { shownStep } from './rows.ts';
import { logSection } from './section.ts';

/** A stretch of the run's time. */
interface Stretch {
  from: number;
  to: number;
}

/**
 * The run's time from top to bottom, each with a bar that shows when it was: waiting, the checkout, each step with its log, and
 * what was told. The one that failed is open, or the one that runs, or waits for people, or the last.
 */
export async function sections(
  frame: Frame,
  logs: LogIndexes,
  view: RunView,
  counts: ReadonlyMap<number, StepLog>,
  withLog: boolean,
): Promise<Content> {
  const { run, steps } = view;
  const end = run.finishedAt ?? frame.now;
  const told = Math.max(end, ...view.callbacks.map(({ finishedAt }) => finishedAt ?? 0));
  // What was sent again long after would make everything else too small to see.
  const whole: Stretch = {
    from: run.createdAt,
    to: Math.max(run.createdAt + 1, Math.min(told, end + (end - run.createdAt) / 4)),
  };
  const open = toOpen(view);
  const list: Html[] = [];
  const begun = run.startedAt;
  list.push(
    plainRow(frame, whole, {
      sign: icon(frame, 'queued'),
      name: 'Waiting',
      stretch: { from: run.createdAt, to: begun ?? end },
      tone: run.state === 'blocked' ? 'blocked' : 'queued',
      isGoingOn: begun === undefined && !hasEnded(run.state),
    }),
  );
  if (begun !== undefined) {
    const first = Math.min(...steps.map(({ startedAt }) => startedAt ?? Infinity));
    const to = Number.isFinite(first) ? first : end;
    const checkout: Step = {
      index: -1,
      name: 'Checkout',
      state: checkoutState(run.state, Number.isFinite(first)),
      attempts: 1,
      exitCode: undefined,
      reason: '',
      startedAt: begun,
      finishedAt: Number.isFinite(first) || hasEnded(run.state) ? to : undefined,
    };
    const waiting = waitingStep(run, steps);
    for (const step of [checkout, ...steps]) {
      const lines = counts.get(step.index)?.lines ?? 0;
      const isOpen = step.index === open;
      const log = withLog
        ? await logSection(logs, {
            root: frame.root,
            run: run.id,
            step: step.index,
            lines,
            shown: isOpen,
          })
        : '';
      const state = step === waiting ? 'blocked' : step.state;
      list.push(stepRow(frame, whole, { ...step, state }, lines, isOpen, log));
    }
  }
  const sent = view.callbacks.filter(({ state }) => state === 'sent').length;
  if (view.callbacks.length > 0 && hasEnded(run.state)) {
    const isWaiting = view.callbacks.some(({ state }) => state === 'pending');
    list.push(
      plainRow(frame, whole, {
        sign: icon(frame, 'callback'),
        name: `Told ${sent} of ${view.callbacks.length}`,
        stretch: { from: end, to: Math.min(whole.to, isWaiting ? frame.now : told) },
        tone: 'queued',
        isGoingOn: false,
      }),
    );
  }
  return list;
}

/** Where no step has begun, the run's end says how the checkout ended. */
function checkoutState(run: RunState, hasBegun: boolean): Step['state'] {
  if (hasBegun || run === 'succeeded') return 'succeeded';
  if (hasEnded(run)) return 'failed';
  return run === 'running' ? 'running' : 'pending';
}

function toOpen({ run, steps }: RunView): number {
  const open =
    steps.find(({ state }) => state === 'failed') ??
    steps.find(({ state }) => state === 'running') ??
    waitingStep(run, steps) ??
    steps.findLast(({ startedAt }) => startedAt !== undefined);
  return open?.index ?? -1;
}

function stepRow(
  frame: Frame,
  whole: Stretch,
  step: Omit<Step, 'state'> & { state: RunState | Step['state'] },
  lines: number,
  isOpen: boolean,
  log: Content,
): Html {
  const { startedAt, finishedAt, state } = step;
  const number = shownStep(step.index);
  const stretch =
    startedAt === undefined ? undefined : { from: startedAt, to: finishedAt ?? frame.now };
  return html`<li id="step-${number}"><details class="step" data-step="${number}"${isOpen ? html` open` : ''}>
<summary id="step-${number}-head">${icon(frame, 'chevron-right', 'chevron')}${stateIcon(frame, state)}<span class="step-name cut">${step.name}${
    step.attempts > 1 ? html` <span class="muted small">attempt ${step.attempts}</span>` : ''
  }</span>${bar(whole, stretch, state)}<span class="step-time num">${
    startedAt === undefined
      ? state === 'blocked'
        ? 'waits'
        : ''
      : finishedAt === undefined
        ? since(startedAt, frame.now)
        : took(finishedAt - startedAt)
  }</span></summary>
<div class="log" data-lines="${lines}" hx-morph-skip>${log}${lines === 0 ? html`<p class="log-none muted">No output</p>` : ''}</div>
</details></li>`;
}

function plainRow(
  frame: Frame,
  whole: Stretch,
  {
    sign,
    name,
    stretch,
    tone,
    isGoingOn,
  }: { sign: Html; name: string; stretch: Stretch; tone: string; isGoingOn: boolean },
): Html {
  return html`<li class="step is-plain"><span class="chevron"></span><span class="tone is-${tone}">${sign}</span><span class="step-name cut muted">${name}</span>${bar(whole, stretch, tone)}<span class="step-time num muted">${
    isGoingOn ? since(stretch.from, frame.now) : durationText(stretch.to - stretch.from)
  }</span></li>`;
}

/** Where a stretch lies in the whole, in thousandths. */
function bar(whole: Stretch, stretch: Stretch | undefined, tone: string): Html {
  if (stretch === undefined) return html`<span class="bar"></span>`;
  const scale = 1000 / (whole.to - whole.from);
  const x = Math.min(994, Math.max(0, Math.round((stretch.from - whole.from) * scale)));
  const width = Math.min(1000 - x, Math.max(6, Math.round((stretch.to - stretch.from) * scale)));
  return html`<svg class="bar is-${tone}" viewBox="0 0 1000 8" preserveAspectRatio="none" aria-hidden="true"><rect x="${x}" width="${width}" height="8"></rect></svg>`;
}
