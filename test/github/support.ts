import { generateKeyPairSync } from 'node:crypto';
import { pino } from 'pino';
import type { Clock } from '../../src/lib/clock.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createGitHub, type GitHub, type GitHubDeps } from '../../src/github/client.ts';
import { MainsheetError, RetryableError } from '../../src/lib/errors.ts';

export const TOKEN = 'ghp_0123456789secret';

/** A key as GitHub gives it to an App. */
export const { privateKey: APP_KEY } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});

export const APP = { kind: 'app', appId: '12', privateKey: APP_KEY } as const;

/** A clock that stands still until it is moved: by time that goes by (`advance`), or by being set. */
export function createTestClock(
  start = Date.now(),
): Clock & { advance(ms: number): void; set(now: number): void } {
  let now = start;
  let elapsed = start;
  return {
    ...systemClock,
    now: () => now,
    elapsed: () => elapsed,
    advance: (ms) => {
      now += ms;
      elapsed += ms;
    },
    set: (time) => {
      now = time;
    },
  };
}

/** A GitHub whose log lines are kept. */
export function connect(
  apiUrl: string,
  more: Partial<GitHubDeps> = {},
): { github: GitHub; lines: string[] } {
  const lines: string[] = [];
  const logger = pino({ level: 'debug', base: null }, { write: (line) => void lines.push(line) });
  const github = createGitHub({
    apiUrl,
    auth: { kind: 'token', token: TOKEN },
    logger,
    clock: systemClock,
    ...more,
  });
  return { github, lines };
}

/** The error that the promise is rejected with, which must be one of ours. */
export async function failureOf(promise: Promise<unknown>): Promise<MainsheetError> {
  const error: unknown = await promise.then(
    () => new Error('nothing was thrown'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof MainsheetError) return error;
  throw error;
}

export function isRetryable(error: unknown): boolean {
  return error instanceof RetryableError;
}
