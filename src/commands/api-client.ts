import {
  endEvent,
  explanationAnswer,
  logEvent,
  readinessAnswer,
  replayAnswer,
  runAnswer,
  runsAnswer,
  type ExplanationAnswer,
  type ReadinessAnswer,
  type ReplayAnswer,
  type RunAnswer,
  type RunsAnswer,
} from './api-answers.ts';
import { createApiRequest, decode, parseJson } from './api-request.ts';
import { readEventStream } from './read-event-stream.ts';

/** What a live log tells. `seq` numbers the pieces of text. */
export type LogNews =
  { kind: 'log'; seq: number; at: string; text: string } | { kind: 'end'; state: string };

/**
 * The running server, over its API. Everything throws RetryableError when the server cannot be reached or is not able to answer,
 * TerminalError when it refuses, with the code, the detail and the hint of its answer.
 */
export interface Api {
  /** `http://127.0.0.1:3000` */
  url: string;
  /** A filter that is undefined does not count. */
  runs(filter: Record<string, string | undefined>): Promise<RunsAnswer>;
  act(action: 'cancel' | 'retry' | 'rollback', run: string): Promise<RunAnswer>;
  explain(delivery: string): Promise<ExplanationAnswer>;
  replay(delivery: string): Promise<ReplayAnswer>;
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
  /** Until an answer begins, in milliseconds; default 30 seconds. */
  timeoutMs?: number;
}): Api {
  const url = deps.url.replace(/\/+$/, '');
  const request = createApiRequest({ ...deps, url });
  const path = (kind: 'runs' | 'deliveries', id: string, what: string) =>
    `/api/v1/${kind}/${encodeURIComponent(id)}/${what}`;

  return {
    url,
    async runs(filter) {
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries(filter)) {
        if (value !== undefined) query.set(name, value);
      }
      return await request.ask(runsAnswer, `/api/v1/runs?${query.toString()}`);
    },
    act: (action, run) => request.ask(runAnswer, path('runs', run, action), { method: 'POST' }),
    explain: (delivery) => request.ask(explanationAnswer, path('deliveries', delivery, 'explain')),
    replay: (delivery) =>
      request.ask(replayAnswer, path('deliveries', delivery, 'replay'), { method: 'POST' }),
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
