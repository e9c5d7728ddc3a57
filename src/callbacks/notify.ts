import { hintOf, TerminalError } from '../lib/errors.ts';
import type { NotifySpec } from '../model/deployment-spec.ts';
import type { Run } from '../model/run.ts';
import { isNotify, type NotifyKind, type NotifyOf } from '../spec/notify/index.ts';
import type { NotifyContext, RunChange } from './contract.ts';

/** An entry of a spec's `notify`, rendered when it is sent. `run` is the run as it was at the change. */
export interface NotifyCallback<Kind extends NotifyKind> {
  kind: Kind;
  notify: number;
  run: Run;
}

/** Each entry of the kind whose `on` has the new state. */
export function dueNotifications<Kind extends NotifyKind>(
  kind: Kind,
  { run, spec }: RunChange,
): NotifyCallback<Kind>[] {
  return spec.notify.flatMap((entry, notify) =>
    entry.kind === kind && entry.on.includes(run.state) ? [{ kind, notify, run }] : [],
  );
}

/** What notifications have in common: all changes are told, each entry's in order, and GitHub's budget has no part in it. */
export function notification<Kind extends NotifyKind>(kind: Kind) {
  return {
    kind,
    due: (change: RunChange) => dueNotifications(kind, change),
    /** One entry of one spec: its notifications arrive in order. */
    target: ({ run, notify }: NotifyCallback<Kind>) => `notify:${run.spec}:${notify}`,
    tells: ({ run }: NotifyCallback<Kind>) => run.state,
    waitsForOtherRuns: true as const,
  };
}

/** The entry, when it is of the kind. Throws TerminalError `notify-missing`. */
export function entryOf<Kind extends NotifyKind>(
  notify: NotifySpec | undefined,
  kind: Kind,
): NotifyOf<Kind> {
  if (isNotify(notify, kind)) return notify;
  throw new TerminalError('notify-missing', 'the spec has no such notify entry');
}

/**
 * Makes a message from templates. A secret only leaves Mainsheet where the spec names it, and a mark in its place would be a wrong
 * value. Throws TerminalError: `template-failed`, or `output-masked` when what is made was to hold an output that is refused.
 */
export function rendering<Made>({ refused }: NotifyContext, make: () => Made): Made {
  let made: Made;
  try {
    made = make();
  } catch (cause) {
    if (refused.size > 0) throw outputMasked(refused);
    if (cause instanceof TerminalError) throw cause;
    const hint = hintOf(cause);
    throw new TerminalError('template-failed', 'a template in notify cannot be rendered', {
      cause,
      ...(hint === undefined ? {} : { hint }),
    });
  }
  if (refused.size > 0) throw outputMasked(refused);
  return made;
}

function outputMasked(refused: ReadonlySet<string>): TerminalError {
  const names = [...refused].join(', ');
  return new TerminalError('output-masked', `not sent: there is a secret in the output ${names}`, {
    hint: 'where the receiver has to get it, name it in notify: ${{ secrets.NAME }}',
  });
}
