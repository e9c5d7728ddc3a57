import { describeError } from '../lib/errors.ts';
import type { HttpStepSpec } from '../spec/steps/http.ts';
import { evaluateCondition, evaluateText, ExpressionError } from '../spec/expressions.ts';
import { AskError, type Answer } from './ask.ts';
import type { StepResult } from './contract.ts';
import { succeeded } from './ending.ts';

/** Characters of an answer that the log shows when it is not what was expected. */
const SHOWN = 2000;

/** Why an answer is not what its spec expects; undefined when it is. */
export function whyUnexpected(
  { status: statuses, if: condition }: HttpStepSpec['expect'],
  answer: Answer,
): string | undefined {
  const { status } = answer;
  const isGood = statuses?.includes(status) ?? (status >= 200 && status < 300);
  if (!isGood) return `answered ${status}`;
  if (condition === undefined || holds(condition, answer)) return undefined;
  return `answered what does not fulfil ${condition}`;
}

/** The end of a step whose answer is the last. Throws AskError when the answer has nothing for an output. */
export function succeededWith({ outputs }: HttpStepSpec, response: Answer): StepResult {
  const values = Object.entries(outputs).map(([name, expression]) => [
    name,
    textOf(expression, response, `the output ${name}`),
  ]);
  return succeeded(Object.fromEntries(values) as Record<string, string>);
}

/** The address that an answer names, of the same server as `base`: it is told the secret. Throws AskError. */
export function pollAddress(expression: string, response: Answer, base: string): string {
  const url = URL.parse(textOf(expression, response, 'the "url" of "until"'), base);
  const { origin, host } = new URL(base);
  if (url?.origin === origin) return url.href;
  const where = url === null ? 'no address' : `an address of ${url.host || url.protocol}`;
  throw new AskError(`${host} names ${where} for "until", and only its own are asked`);
}

export function shown({ body }: Answer): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)} …` : text;
}

/** Whether the expression is true of the answer. */
export function holds(expression: string, response: Answer): boolean {
  try {
    return evaluateCondition(expression, { response }, 'response');
  } catch (error) {
    // An answer that has not got the field (yet) does not fulfil it.
    if (error instanceof ExpressionError) return false;
    throw error;
  }
}

function textOf(expression: string, response: Answer, what: string): string {
  try {
    return evaluateText(expression, { response }, 'response');
  } catch (cause) {
    throw new AskError(`the answer has nothing for ${what}: ${describeError(cause)}`, { cause });
  }
}
