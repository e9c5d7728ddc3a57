import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from '../lib/logger.ts';
import { isOver } from './linger.ts';
import { explainError, PROBLEM_TYPE, problemBody } from './problem.ts';

/**
 * Answers what comes often, without a framework in between, which would take a fifth of the time of a delivery, and of a request that is
 * refused. `body`: JSON, or a text.
 */
export function send(
  response: ServerResponse,
  status: number,
  body: object | string,
  headers: Record<string, string> = {},
): void {
  const isText = typeof body === 'string';
  const text = isText ? body : JSON.stringify(body);
  response
    .writeHead(status, {
      'Content-Type': isText ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8',
      'Content-Length': Buffer.byteLength(text),
      ...headers,
    })
    .end(text);
}

/** Says what went wrong, and logs what was not expected. `path`: without what may be a secret. */
export function sendProblem(
  request: IncomingMessage,
  response: ServerResponse,
  { error, path, logger }: { error: unknown; path: string; logger: Logger },
): void {
  const problem = explainError({ method: request.method ?? '', path }, error, logger);
  send(response, problem.status, problemBody(problem), {
    'Content-Type': PROBLEM_TYPE,
    ...(isOver(request) ? { Connection: 'close' } : {}),
    ...problem.headers,
  });
}

/** A header's value; empty when it is missing. */
export function headerOf({ headers }: IncomingMessage, name: string): string {
  return String(headers[name.toLowerCase()] ?? '');
}
