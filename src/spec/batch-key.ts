import { describeError } from '../lib/errors.ts';
import type { DeploymentSpec } from '../model/deployment-spec.ts';
import type { Event, Json } from '../model/event.ts';
import { inputsOf } from '../model/hook.ts';
import { allOf, failed, held, type Verdict } from '../model/verdict.ts';
import { failure } from './cel.ts';
import { evaluateText } from './expressions.ts';
import { githubContext, subjectOf } from './github-context.ts';

/** Characters: it is a column of an index. */
const LONGEST_KEY = 200;

/**
 * By what an event goes together with others of a spec; '' where all do. Throws an ExpressionError for a value that has no text,
 * or too much of it.
 */
export function batchKeyOf(spec: DeploymentSpec, event: Event, payload: unknown): string {
  if (spec.batch?.key === undefined) return '';
  const subject = subjectOf(event, spec);
  const context = {
    event: payload,
    github: subject && githubContext(subject, payload),
    spec,
    inputs: event.kind === 'hook' ? inputsOf(payload as Json) : {},
  };
  const key = evaluateText(spec.batch.key, context, 'condition');
  if (key.length <= LONGEST_KEY && !key.includes('\0')) return key;
  throw failure(`the key has more than ${LONGEST_KEY} characters, or a NUL`);
}

/** Whether an event can be gathered. Never throws. */
export function matchesBatch(spec: DeploymentSpec, event: Event, payload: unknown): Verdict {
  const { key } = spec.batch ?? {};
  if (key === undefined) return allOf([]);
  try {
    return held('batch.key', `${key} is "${batchKeyOf(spec, event, payload)}"`);
  } catch (error) {
    return failed('batch.key', `${key} could not be decided: ${describeError(error)}`);
  }
}
