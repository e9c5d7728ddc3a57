import { PRESSES, type Press } from './event.ts';

// What a button of a run's message says of itself. Nothing is decided by it: the message is looked up, and this compared.

const PREFIX = 'mainsheet-';

/** A run, and the entry of its `notify` that the message is of. */
export interface MessageOf {
  run: string;
  notify: number;
}

export function actionOf(press: Press): string {
  return PREFIX + press;
}

/** Undefined when it is no button of ours. */
export function pressOfAction(action: unknown): Press | undefined {
  return PRESSES.find((press) => actionOf(press) === action);
}

export function valueOf({ run, notify }: MessageOf): string {
  return `${run}:${notify}`;
}

/** Undefined when it is no value of ours. */
export function messageOfValue(value: unknown): MessageOf | undefined {
  const [, run, notify] = /^([\w-]{1,64}):(\d{1,4})$/.exec(String(value)) ?? [];
  return run === undefined ? undefined : { run, notify: Number(notify) };
}
