import type { Clock } from '../lib/clock.ts';
import { formatDuration } from '../lib/duration.ts';
import { describeError, hintOf } from '../lib/errors.ts';
import type { HttpStepSpec } from '../model/deployment-spec.ts';
import {
  evaluateCondition,
  evaluateText,
  ExpressionError,
  renderJson,
  renderTemplate,
} from '../spec/expressions.ts';
import { renderUrl } from '../spec/render-url.ts';
import { AskError, type Answer, type Ask, type Question } from './ask.ts';
import type { StepContext, StepKind, StepResult } from './contract.ts';
import { failedStep } from './remote.ts';

/** Characters of an answer that the log shows when it is not what was expected. */
const SHOWN = 2000;
/** Requests that may come twice: https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2 */
const REPEATABLE = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/** A request, and what its answer must be; repeated until the answer says that what it began is done. */
export function createHttpStep({ ask, clock }: { ask: Ask; clock: Clock }): StepKind<HttpStepSpec> {
  return async (context) => {
    const late = AbortSignal.timeout(Math.min(context.timeoutMs, 2 ** 31 - 1));
    const signal = AbortSignal.any([context.signal, late]);
    try {
      return await act({ ask, clock }, context, signal);
    } catch (error) {
      if (context.signal.aborted) return { outcome: 'cancelled', reason: 'cancelled' };
      if (late.aborted) {
        return {
          outcome: 'timed-out',
          reason: `no end within ${formatDuration(context.timeoutMs)}`,
        };
      }
      const hint = hintOf(error);
      return failedStep(`${describeError(error)}${hint === undefined ? '' : ` (${hint})`}`);
    }
  };
}

async function act(
  { ask, clock }: { ask: Ask; clock: Clock },
  context: StepContext<HttpStepSpec>,
  signal: AbortSignal,
): Promise<StepResult> {
  const { step, log } = context;
  const question = questionOf(context, signal);
  const host = new URL(question.url).host;
  const until = clock.elapsed() + (step.until?.timeoutMs ?? 0);
  for (;;) {
    const answer = await ask(question);
    log('stdout', `${step.method} ${host}: ${answer.status}\n`);
    const wrong = whyUnexpected(step, answer);
    if (wrong !== undefined) {
      log('stdout', `${shown(answer)}\n`);
      return failedStep(`${host} ${wrong}`);
    }
    if (step.until === undefined || holds(step.until.expression, answer)) {
      return { outcome: 'succeeded', exitCode: 0, outputs: outputsOf(step, answer) };
    }
    if (clock.elapsed() + step.until.everyMs > until) {
      log('stdout', `${shown(answer)}\n`);
      return failedStep(`not done within ${formatDuration(step.until.timeoutMs)}`);
    }
    await clock.sleep(step.until.everyMs, signal);
    signal.throwIfAborted();
  }
}

function questionOf(
  { step, attemptId, values, secrets }: StepContext<HttpStepSpec>,
  signal: AbortSignal,
): Question {
  const headers = Object.entries(step.headers).map(([name, value]) => [
    name.toLowerCase(),
    renderTemplate(value, values),
  ]);
  const body = step.body === undefined ? undefined : renderJson(step.body, values);
  return {
    url: renderUrl(step.url, values),
    method: step.method,
    headers: {
      ...(body === undefined || typeof body === 'string'
        ? {}
        : { 'content-type': 'application/json' }),
      // What a restart sends again is known by it. What is repeated until it is done is meant each time.
      ...(REPEATABLE.has(step.method) || step.until !== undefined
        ? {}
        : { 'idempotency-key': attemptId }),
      ...(Object.fromEntries(headers) as Record<string, string>),
      ...(step.secret === undefined
        ? {}
        : { authorization: `Bearer ${(secrets[step.secret] ?? '').trim()}` }),
    },
    body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    signal,
  };
}

function whyUnexpected({ expect }: HttpStepSpec, answer: Answer): string | undefined {
  const { status } = answer;
  const isGood = expect.status?.includes(status) ?? (status >= 200 && status < 300);
  if (!isGood) return `answered ${status}`;
  if (expect.if === undefined || holds(expect.if, answer)) return undefined;
  return `answered what does not fulfil ${expect.if}`;
}

function holds(expression: string, response: Answer): boolean {
  try {
    return evaluateCondition(expression, { response }, 'response');
  } catch (error) {
    // An answer that has not got the field (yet) does not fulfil it.
    if (error instanceof ExpressionError) return false;
    throw error;
  }
}

function outputsOf({ outputs }: HttpStepSpec, response: Answer): Record<string, string> {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, expression]) => {
      try {
        return [name, evaluateText(expression, { response }, 'response')];
      } catch (cause) {
        throw new AskError(
          `the answer has nothing for the output ${name}: ${describeError(cause)}`,
          { cause },
        );
      }
    }),
  );
}

function shown({ body }: Answer): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)} …` : text;
}
