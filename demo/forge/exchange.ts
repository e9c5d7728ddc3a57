import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { parseJson, type Json } from '../json.ts';
import type { GitHubApi } from './api.ts';
import type { Fault } from './faults.ts';
import type { GitServer } from './git-server.ts';

/** One request to the API, after it was answered. */
export interface JournalEntry {
  /** When it came in, in milliseconds since the epoch. */
  at: number;
  method: string;
  /** With its query. */
  path: string;
  /** Undefined without a body; the text as it came when it is not JSON. */
  body: Json | undefined;
  /** The answer's status; 0 when a fault kept it back. */
  status: number;
  /** What GitHub's API description has against the request. */
  problems: readonly string[];
  /** Who answered: an `example` says nothing about the forge's own repositories. */
  by: 'gate' | 'emulate' | 'simulacrum' | 'example' | 'fault';
}

/** Answers a request of git, unless a fault is in its way. */
export async function answerGit(
  gitServer: GitServer,
  request: IncomingMessage,
  response: ServerResponse,
  fault: Fault | undefined,
): Promise<void> {
  if (fault === undefined) return gitServer.handle(request, response);
  if (fault === 'hang') return undefined;
  if (typeof fault === 'object') {
    response.writeHead(fault.status, fault.headers).end(JSON.stringify(fault.body ?? ''));
  } else response.destroy();
}

/** Answers a request to the API, unless a fault is in its way, and notes it once the answer is known. */
export async function answerApi(exchange: {
  api: GitHubApi;
  request: IncomingMessage;
  response: ServerResponse;
  fault: Fault | undefined;
  problems: (body: Json | undefined) => string[];
  note: (entry: JournalEntry) => void;
}): Promise<void> {
  const { api, request, response, fault } = exchange;
  const at = Date.now();
  const { method = 'GET', url: path = '/', headers } = request;
  const raw = await buffer(request);
  const body = readBody(raw);
  const problems = exchange.problems(body);
  const note = (status: number, by: JournalEntry['by']) =>
    exchange.note({ at, method, path, body, status, problems, by });

  if (fault === 'hang' || fault === 'reset') {
    note(0, 'fault');
    if (fault === 'reset') response.destroy();
    return;
  }
  if (typeof fault === 'object') {
    note(fault.status, 'fault');
    response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
    response.end(fault.body === undefined ? undefined : JSON.stringify(fault.body));
    return;
  }
  const answer = await api.answer({ method, path, headers, body: raw, problems });
  note(fault === 'lost-answer' ? 0 : answer.status, answer.by);
  if (fault === 'lost-answer') response.destroy();
  else response.writeHead(answer.status, answer.headers).end(answer.body);
}

function readBody(raw: Buffer): Json | undefined {
  if (raw.length === 0) return undefined;
  try {
    return parseJson(raw.toString('utf8'));
  } catch {
    return raw.toString('utf8');
  }
}
