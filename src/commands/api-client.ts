import {
  backtestAnswer,
  backtestProgress,
  callbackAnswer,
  deliveriesAnswer,
  endEvent,
  deletedHookAnswer,
  environmentsAnswer,
  hooksAnswer,
  hookTrialAnswer,
  madeHookAnswer,
  explanationAnswer,
  logEvent,
  loginLinkAnswer,
  outboxAnswer,
  overviewAnswer,
  pausedAnswer,
  pausesAnswer,
  previewsAnswer,
  problemAnswer,
  readinessAnswer,
  replayAnswer,
  resendAllAnswer,
  rolledBackAnswer,
  runAnswer,
  runDetailAnswer,
  runsAnswer,
  specsAnswer,
  whyAnswer,
  type BacktestAnswer,
  type BacktestProgress,
} from './api-answers.ts';
import { RetryableError } from '../lib/errors.ts';
import { createApiRequest, decode, type ServerAccess } from './api-request.ts';
import { readEventStream } from '../lib/read-event-stream.ts';
import { parseJson } from '../lib/json.ts';

/** What the server asks git for takes five minutes at most. */
const GIT_MS = 5.5 * 60_000;

/** What a live log tells. `seq` numbers the pieces of text. */
export type LogNews =
  | { kind: 'log'; seq: number; at: string; step?: number | undefined; text: string }
  | { kind: 'end'; state: string };

/** A filter that is undefined does not count. */
type Filter = Record<string, string | undefined>;
type RunAction = 'cancel' | 'retry' | 'approve' | 'reject' | 'override';
type Pausable = 'spec' | 'lane';
type RollbackOptions = Partial<Record<'to' | 'reason', string | undefined>> & {
  resume?: true | undefined;
};

export type Api = ReturnType<typeof createApi>;

/**
 * The running server, over its API. Everything throws RetryableError when the server cannot be reached or is not able to answer,
 * TerminalError when it refuses, with the code, the detail and the hint of its answer.
 */
export function createApi(deps: ServerAccess) {
  const url = deps.url.replace(/\/+$/, '');
  const request = createApiRequest({ ...deps, url });
  const post = { method: 'POST' } as const;
  const postToGit = { ...post, timeoutMs: GIT_MS };
  const path = (
    kind: 'runs' | 'deliveries' | 'specs' | 'lanes' | 'outbox' | 'hooks',
    id: string,
    what: string,
  ) => `/api/v1/${kind}/${encodeURIComponent(id)}/${what}`;

  return {
    /** `http://127.0.0.1:3000` */
    url,
    runs: (filter: Filter) => request.ask(runsAnswer, `/api/v1/runs${queryOf(filter)}`),
    run: (id: string) => request.ask(runDetailAnswer, `/api/v1/runs/${encodeURIComponent(id)}`),
    specs: () => request.ask(specsAnswer, '/api/v1/specs'),
    environments: () => request.ask(environmentsAnswer, '/api/v1/environments'),
    overview: () => request.ask(overviewAnswer, '/api/v1/overview'),
    deliveries: (filter: Filter) =>
      request.ask(deliveriesAnswer, `/api/v1/deliveries${queryOf(filter)}`),
    act: (action: RunAction, run: string, reason?: string) =>
      request.ask(runAnswer, path('runs', run, `${action}${queryOf({ reason })}`), post),
    /** Of a run or a deployment spec, to what the run `to` deployed or to what was deployed before. */
    rollback: (kind: 'runs' | 'specs', name: string, { to, resume, reason }: RollbackOptions) => {
      const query = queryOf({ to, resume: resume && 'true', reason });
      return request.ask(rolledBackAnswer, path(kind, name, `rollback${query}`), post);
    },
    deploy: (spec: string, revision: string | undefined) =>
      request.ask(runAnswer, path('specs', spec, `deploy${queryOf({ revision })}`), postToGit),
    pause: (kind: Pausable, name: string, reason: string | undefined) =>
      request.ask(pausedAnswer, path(`${kind}s`, name, `pause${queryOf({ reason })}`), post),
    resume: (kind: Pausable, name: string) =>
      request.ask(pausedAnswer, path(`${kind}s`, name, 'resume'), post),
    pauses: () => request.ask(pausesAnswer, '/api/v1/pauses'),
    previews: () => request.ask(previewsAnswer, '/api/v1/previews'),
    hooks: (filter: Filter) => request.ask(hooksAnswer, `/api/v1/hooks${queryOf(filter)}`),
    createHook: (hook: object) =>
      request.ask(madeHookAnswer, '/api/v1/hooks', { ...post, json: hook }),
    rotateHook: (id: string, overlap: string | undefined) =>
      request.ask(madeHookAnswer, path('hooks', id, `rotate${queryOf({ overlap })}`), post),
    deleteHook: (id: string) =>
      request.ask(deletedHookAnswer, `/api/v1/hooks/${encodeURIComponent(id)}`, {
        method: 'DELETE',
      }),
    testHook: (id: string, body: object) =>
      request.ask(hookTrialAnswer, path('hooks', id, 'test'), { ...post, json: body }),
    outbox: (filter: Filter) => request.ask(outboxAnswer, `/api/v1/outbox${queryOf(filter)}`),
    callback: (id: string) =>
      request.ask(callbackAnswer, `/api/v1/outbox/${encodeURIComponent(id)}`),
    resend: (id: string) => request.ask(callbackAnswer, path('outbox', id, 'retry'), post),
    resendAll: () => request.ask(resendAllAnswer, '/api/v1/outbox/retry', post),
    loginLink: () => request.ask(loginLinkAnswer, '/api/v1/login-links', post),
    explain: (delivery: string) =>
      request.ask(explanationAnswer, path('deliveries', delivery, 'explain')),
    replay: (delivery: string) =>
      request.ask(replayAnswer, path('deliveries', delivery, 'replay'), postToGit),
    why: (repository: string, sha: string) =>
      request.ask(whyAnswer, `/api/v1/why${queryOf({ repository, sha })}`),
    /** `days` undefined: as far as the server goes back by itself. */
    async backtest(
      specs: readonly { file: string; text: string }[],
      /** Undefined: as far as the server goes back by itself. */
      days: number | undefined,
      /** Told now and then: deliveries that were looked at, and which share of the time that is. */
      progress: (looked: BacktestProgress) => void,
    ) {
      const headers = { Accept: 'text/event-stream' };
      const sent = { ...postToGit, headers, json: { specs, days } };
      return await resultOf(await request.stream('/api/v1/backtest', sent), progress);
    },
    /** The whole log so far, in pieces. */
    async log(run: string, { timestamps }: { timestamps: boolean }) {
      const query = timestamps ? '?timestamps=true' : '';
      return decode(
        await request.stream(path('runs', run, `log${query}`), {
          headers: { Accept: 'text/plain' },
        }),
      );
    },
    /** The log as it grows, after piece `after`. That it ends without `end` means that the connection was lost. */
    async follow(run: string, after: number | undefined) {
      const headers = {
        Accept: 'text/event-stream',
        ...(after === undefined ? {} : { 'Last-Event-ID': String(after) }),
      };
      return newsOf(await request.stream(path('runs', run, 'log'), { headers }));
    },
    /** What `/readyz` says, ready or not. */
    readiness: () => request.ask(readinessAnswer, '/readyz', { accept: [503] }),
  };
}

function queryOf(parameters: Record<string, string | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) query.set(name, value);
  }
  return query.size === 0 ? '' : `?${query.toString()}`;
}

async function resultOf(
  body: AsyncIterable<Uint8Array>,
  progress: (looked: BacktestProgress) => void,
): Promise<BacktestAnswer> {
  for await (const { event, data } of readEventStream(body)) {
    const told = parseJson(data);
    const looked = event === 'progress' ? backtestProgress.safeParse(told) : undefined;
    if (looked?.success === true) progress(looked.data);
    if (event === 'result') return backtestAnswer.parse(told);
    if (event === 'problem') {
      const { code, detail, hint } = problemAnswer.parse(told);
      throw new RetryableError(code, detail, { hint });
    }
  }
  throw new RetryableError('connection-lost', 'the server has hung up before it was done');
}

async function* newsOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<LogNews> {
  for await (const { event, data } of readEventStream(body)) {
    if (event === 'log') {
      const log = logEvent.safeParse(parseJson(data));
      if (log.success) yield { kind: 'log', ...log.data };
    } else if (event === 'end') {
      const end = endEvent.safeParse(parseJson(data));
      yield { kind: 'end', state: end.success ? end.data.state : 'unknown' };
      return;
    }
  }
}
