import type { Clock } from '../lib/clock.ts';
import { formatDuration } from '../lib/duration.ts';
import { describeError } from '../lib/errors.ts';
import type { HttpStepSpec } from '../spec/steps/http.ts';
import { renderJson, renderTemplate } from '../spec/expressions.ts';
import { renderUrl } from '../spec/render-url.ts';
import { AskError, type Answer, type Ask, type Question } from './ask.ts';
import type { DoStep, StepContext, StepKind, StepResult } from './contract.ts';
import { failedStep, readKept, withinTime } from './ending.ts';
import { holds, pollAddress, shown, succeededWith, whyUnexpected } from './http-answer.ts';

/** Requests that change nothing: https://www.rfc-editor.org/rfc/rfc9110#section-9.2.1 */
const SAFE = new Set(['GET', 'HEAD']);
/** How often in a row the address of "until" may give no answer before the step fails. */
const MOST_FAILURES = 12;

/** Headers that only what begins it has. */
const OF_THE_REQUEST = new Set(['content-type', 'idempotency-key']);
const ANY_GOOD: HttpStepSpec['expect'] = { status: undefined, if: undefined };

/** What is kept of a request that changes something once its answer has come, so that it is not sent again. */
type Kept =
  /** The step is over. `key`: that of a request to which no answer has come. */
  | { result: StepResult; key?: string }
  /** The key of a request that a try before may have sent, and to which no answer has come. */
  | { key: string }
  /** The address that is asked until what was begun is done. */
  | { poll: string }
  /** The request itself is repeated until then. The next one has this number, and may have been sent. */
  | { next: number; key: string };

/** What one attempt works with. */
interface Turn {
  ask: Ask;
  clock: Clock;
  context: StepContext<HttpStepSpec>;
  signal: AbortSignal;
  kept: Kept | undefined;
  /** By which requests that change something are known. */
  key: string;
  /** Resolves when it is on the disk. */
  keep(kept: Kept): Promise<void>;
}

/** A request, and what its answer must be; repeated until the answer says that what it began is done. */
export function createHttpStep(deps: { ask: Ask; clock: Clock }): DoStep<HttpStepSpec> {
  return async (context) => {
    const kept = readKept(context.kept) as Kept | undefined;
    const unanswered = unansweredKey(kept, context.attemptId);
    if (unanswered === undefined) context.log('stdout', 'Going on with what was answered before\n');
    if (kept !== undefined && 'result' in kept) return kept.result;
    const key = kept !== undefined && 'key' in kept ? kept.key : context.attemptId;
    let isAnswered = unanswered === undefined;
    const ask: Ask = async (question) => {
      const answer = await deps.ask(question);
      isAnswered = true;
      return answer;
    };
    const keep = async (what: Kept) => {
      if (!SAFE.has(context.step.method)) await context.keep(JSON.stringify(what));
    };
    const result = await withinTime(context, (signal) =>
      act({ ask, clock: deps.clock, context, signal, kept, key, keep }),
    );
    if (result.outcome === 'succeeded' || result.outcome === 'failed') {
      await keep(isAnswered ? { result } : { result, key });
    }
    return result;
  };
}

export const httpStep = {
  create: createHttpStep,
  unanswered: unansweredBefore,
  isInDoubt,
} satisfies StepKind<HttpStepSpec, Parameters<typeof createHttpStep>[0]>;

/**
 * What another try of an http step begins with, after one that was called `attemptId` and has kept `kept`: the key of its request, when no
 * answer to it has come; undefined when one has.
 */
function unansweredBefore(kept: string | undefined, attemptId: string): string | undefined {
  const key = unansweredKey(readKept(kept) as Kept | undefined, attemptId);
  return key === undefined ? undefined : JSON.stringify({ key } satisfies Kept);
}

function unansweredKey(kept: Kept | undefined, attemptId: string): string | undefined {
  if (kept === undefined) return attemptId;
  return 'key' in kept && !('next' in kept) ? kept.key : undefined;
}

/** Whether what an http step has kept leaves open whether a request was sent that changes something. */
function isInDoubt(kept: string): boolean {
  const read = readKept(kept) as Kept | undefined;
  return read !== undefined && 'key' in read && !('result' in read);
}

async function act(turn: Turn): Promise<StepResult> {
  const { ask, clock, context, signal, kept, key, keep } = turn;
  const { step, log } = context;
  const request = requestOf(context, signal);
  const { host } = new URL(request.url);
  const look = createLook(turn);
  const deadline = clock.elapsed() + (step.until?.timeoutMs ?? 0);
  let address = kept !== undefined && 'poll' in kept ? kept.poll : undefined;
  let number = kept !== undefined && 'next' in kept ? kept.next : 1;
  for (;;) {
    const answer =
      address === undefined
        ? await ask(numbered(key, request, number))
        : await look(pollOf(request, address));
    if (answer !== undefined) {
      log('stdout', `${address === undefined ? step.method : 'GET'} ${host}: ${answer.status}\n`);
      const wrong = whyUnexpected(address === undefined ? step.expect : ANY_GOOD, answer);
      if (wrong !== undefined) {
        log('stdout', `${shown(answer)}\n`);
        return failedStep(`${host} ${wrong}`);
      }
      if (step.until === undefined || holds(step.until.expression, answer)) {
        return succeededWith(step, answer);
      }
      if (step.until.url === undefined) await keep({ next: (number += 1), key });
      else if (address === undefined) {
        address = pollAddress(step.until.url, answer, request.url);
        await keep({ poll: address });
      }
    }
    const { everyMs = 0, timeoutMs = 0 } = step.until ?? {};
    if (clock.elapsed() + everyMs > deadline) {
      if (answer !== undefined) log('stdout', `${shown(answer)}\n`);
      return failedStep(`not done within ${formatDuration(timeoutMs)}`);
    }
    await clock.sleep(everyMs, signal);
    signal.throwIfAborted();
  }
}

/**
 * Asks how what was begun is going. Gives undefined where there is no answer, or only one that passes: it goes on there meanwhile.
 * Throws AskError when that comes too often in a row.
 */
function createLook({ ask, context, signal }: Turn): (q: Question) => Promise<Answer | undefined> {
  let failures = 0;
  return async (question) => {
    try {
      const answer = await ask(question);
      const { status } = answer;
      if (status === 429 || status >= 500) {
        throw new AskError(`${new URL(question.url).host} answered ${status}`);
      }
      failures = 0;
      return answer;
    } catch (error) {
      failures += 1;
      if (signal.aborted || !(error instanceof AskError) || failures >= MOST_FAILURES) throw error;
      context.log('stderr', `${describeError(error)}; asking again\n`);
      return undefined;
    }
  };
}

function requestOf(
  { step, values, secrets }: StepContext<HttpStepSpec>,
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
      ...(Object.fromEntries(headers) as Record<string, string>),
      ...(step.secret === undefined
        ? {}
        : { authorization: `Bearer ${(secrets[step.secret] ?? '').trim()}` }),
    },
    body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    signal,
  };
}

/** What a restart sends again is known by its key. What is repeated until it is done is meant each time. */
function numbered(key: string, request: Question, number: number): Question {
  if (SAFE.has(request.method)) return request;
  const own = number === 1 ? key : `${key}-${number}`;
  return { ...request, headers: { 'idempotency-key': own, ...request.headers } };
}

function pollOf({ headers, signal }: Question, url: string): Question {
  const own = Object.entries(headers).filter(([name]) => !OF_THE_REQUEST.has(name));
  return { url, method: 'GET', headers: Object.fromEntries(own), signal };
}
