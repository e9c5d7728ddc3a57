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
  type CallbackAnswer,
  type DeliveriesAnswer,
  type EnvironmentsAnswer,
  type HooksAnswer,
  type HookTrialAnswer,
  type MadeHookAnswer,
  type ExplanationAnswer,
  type LoginLinkAnswer,
  type OutboxAnswer,
  type OverviewAnswer,
  type PausedAnswer,
  type PausesAnswer,
  type PreviewsAnswer,
  type ReadinessAnswer,
  type ReplayAnswer,
  type ResendAllAnswer,
  type RolledBackAnswer,
  type RunAnswer,
  type RunDetailAnswer,
  type RunsAnswer,
  type SpecsAnswer,
  type WhyAnswer,
} from './api-answers.ts';
import { RetryableError } from '../lib/errors.ts';
import { createApiRequest, decode, parseJson } from './api-request.ts';
import { readEventStream } from '../lib/read-event-stream.ts';

/** What the server asks git for takes five minutes at most. */
const GIT_MS = 5.5 * 60_000;

/** What a live log tells. `seq` numbers the pieces of text. */
export type LogNews =
  | { kind: 'log'; seq: number; at: string; step?: number | undefined; text: string }
  | { kind: 'end'; state: string };

/**
 * The running server, over its API. Everything throws RetryableError when the server cannot be reached or is not able to answer,
 * TerminalError when it refuses, with the code, the detail and the hint of its answer.
 */
export interface Api {
  /** `http://127.0.0.1:3000` */
  url: string;
  /** A filter that is undefined does not count. */
  runs(filter: Record<string, string | undefined>): Promise<RunsAnswer>;
  run(id: string): Promise<RunDetailAnswer>;
  specs(): Promise<SpecsAnswer>;
  environments(): Promise<EnvironmentsAnswer>;
  overview(): Promise<OverviewAnswer>;
  deliveries(page: Record<string, string | undefined>): Promise<DeliveriesAnswer>;
  act(
    action: 'cancel' | 'retry' | 'approve' | 'reject' | 'override',
    run: string,
    reason?: string,
  ): Promise<RunAnswer>;
  /** Of a run or a deployment spec, to what the run `to` deployed or to what was deployed before. */
  rollback(
    kind: 'runs' | 'specs',
    name: string,
    how: { to?: string | undefined; resume?: true | undefined; reason?: string | undefined },
  ): Promise<RolledBackAnswer>;
  /** The server may have to ask git for minutes. */
  deploy(spec: string, revision: string | undefined): Promise<RunAnswer>;
  pause(kind: 'spec' | 'lane', name: string, reason: string | undefined): Promise<PausedAnswer>;
  resume(kind: 'spec' | 'lane', name: string): Promise<PausedAnswer>;
  pauses(): Promise<PausesAnswer>;
  previews(): Promise<PreviewsAnswer>;
  hooks(filter: Record<string, string | undefined>): Promise<HooksAnswer>;
  createHook(hook: object): Promise<MadeHookAnswer>;
  rotateHook(id: string, overlap: string | undefined): Promise<MadeHookAnswer>;
  deleteHook(id: string): Promise<void>;
  testHook(id: string, request: object): Promise<HookTrialAnswer>;
  /** A filter that is undefined does not count. */
  outbox(filter: Record<string, string | undefined>): Promise<OutboxAnswer>;
  callback(id: string): Promise<CallbackAnswer>;
  resend(id: string): Promise<CallbackAnswer>;
  resendAll(): Promise<ResendAllAnswer>;
  loginLink(): Promise<LoginLinkAnswer>;
  explain(delivery: string): Promise<ExplanationAnswer>;
  replay(delivery: string): Promise<ReplayAnswer>;
  why(repository: string, commit: string): Promise<WhyAnswer>;
  /** `days` undefined: as far as the server goes back by itself. */
  backtest(
    specs: readonly { file: string; text: string }[],
    days: number | undefined,
    /** Told now and then: deliveries that were looked at, and which share of the time that is. */
    progress: (looked: BacktestProgress) => void,
  ): Promise<BacktestAnswer>;
  /** The whole log so far, in pieces. */
  log(run: string, options: { timestamps: boolean }): Promise<AsyncIterable<string>>;
  /** The log as it grows, after piece `after`. That it ends without `end` means that the connection was lost. */
  follow(run: string, after: number | undefined): Promise<AsyncIterable<LogNews>>;
  /** What `/readyz` says, ready or not. */
  readiness(): Promise<ReadinessAnswer>;
}

export function createApi(deps: {
  url: string;
  token: string | undefined;
  signal: AbortSignal;
  userAgent: string;
  fetch: typeof fetch;
  /** Until an answer begins, in milliseconds; default 30 seconds. */
  timeoutMs?: number;
}): Api {
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
    url,
    async runs(filter) {
      return await request.ask(runsAnswer, `/api/v1/runs${queryOf(filter)}`);
    },
    run: (id) => request.ask(runDetailAnswer, `/api/v1/runs/${encodeURIComponent(id)}`),
    specs: () => request.ask(specsAnswer, '/api/v1/specs'),
    environments: () => request.ask(environmentsAnswer, '/api/v1/environments'),
    overview: () => request.ask(overviewAnswer, '/api/v1/overview'),
    deliveries: (page) => request.ask(deliveriesAnswer, `/api/v1/deliveries${queryOf(page)}`),
    act: (action, run, reason) =>
      request.ask(runAnswer, path('runs', run, `${action}${queryOf({ reason })}`), post),
    rollback: (kind, name, { to, resume, reason }) => {
      const query = queryOf({ to, resume: resume && 'true', reason });
      return request.ask(rolledBackAnswer, path(kind, name, `rollback${query}`), post);
    },
    deploy: (spec, revision) =>
      request.ask(runAnswer, path('specs', spec, `deploy${queryOf({ revision })}`), postToGit),
    pause: (kind, name, reason) =>
      request.ask(pausedAnswer, path(`${kind}s`, name, `pause${queryOf({ reason })}`), post),
    resume: (kind, name) => request.ask(pausedAnswer, path(`${kind}s`, name, 'resume'), post),
    hooks: (filter) => request.ask(hooksAnswer, `/api/v1/hooks${queryOf(filter)}`),
    createHook: (hook) => request.ask(madeHookAnswer, '/api/v1/hooks', { ...post, body: hook }),
    rotateHook: (id, overlap) =>
      request.ask(madeHookAnswer, path('hooks', id, `rotate${queryOf({ overlap })}`), post),
    async deleteHook(id) {
      const url = `/api/v1/hooks/${encodeURIComponent(id)}`;
      await request.ask(deletedHookAnswer, url, { method: 'DELETE' });
    },
    testHook: (id, body) =>
      request.ask(hookTrialAnswer, path('hooks', id, 'test'), { ...post, body }),
    pauses: () => request.ask(pausesAnswer, '/api/v1/pauses'),
    previews: () => request.ask(previewsAnswer, '/api/v1/previews'),
    outbox: (filter) => request.ask(outboxAnswer, `/api/v1/outbox${queryOf(filter)}`),
    callback: (id) => request.ask(callbackAnswer, `/api/v1/outbox/${encodeURIComponent(id)}`),
    resend: (id) => request.ask(callbackAnswer, path('outbox', id, 'retry'), post),
    resendAll: () => request.ask(resendAllAnswer, '/api/v1/outbox/retry', post),
    loginLink: () => request.ask(loginLinkAnswer, '/api/v1/login-links', post),
    explain: (delivery) => request.ask(explanationAnswer, path('deliveries', delivery, 'explain')),
    replay: (delivery) =>
      request.ask(replayAnswer, path('deliveries', delivery, 'replay'), postToGit),
    why: (repository, sha) => request.ask(whyAnswer, `/api/v1/why${queryOf({ repository, sha })}`),
    async backtest(specs, days, progress) {
      const headers = { Accept: 'text/event-stream' };
      const sent = { body: { specs, days }, timeoutMs: GIT_MS };
      const body = await request.stream('/api/v1/backtest', headers, sent);
      return await resultOf(body, progress);
    },
    async log(run, { timestamps }) {
      const query = timestamps ? '?timestamps=true' : '';
      return decode(
        await request.stream(path('runs', run, `log${query}`), { Accept: 'text/plain' }),
      );
    },
    async follow(run, after) {
      const headers = {
        Accept: 'text/event-stream',
        ...(after === undefined ? {} : { 'Last-Event-ID': String(after) }),
      };
      return newsOf(await request.stream(path('runs', run, 'log'), headers));
    },
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
      throw new RetryableError(code, detail, hint === undefined ? {} : { hint });
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
