import { RequestError } from '@octokit/request-error';
import * as z from 'zod';
import { RetryableError, TerminalError } from '../lib/errors.ts';

/** Where the API of a GitHub Enterprise Server is: https://docs.github.com/en/enterprise-server@3.8/rest/meta/meta */
const BELOW_SERVER = '/api/v3';
/** What a proxy, or GitHub in front of its API, may answer with a page of its own. */
const SAID_BY_OTHERS = new Set([401, 403, 407, 408, 429]);

const refusal = z.looseObject({ message: z.string() });

/** Why the API refused, in its words; undefined when that is no refusal of the API, which always says so in JSON. */
export function refusalOf(error: unknown): string | undefined {
  if (!(error instanceof RequestError)) return undefined;
  return refusal.safeParse(error.response?.data).data?.message;
}

/** Whether there was an answer, and not from the API: a page that is not there, or not to be had as JSON. */
export function isFromElsewhere(error: unknown): boolean {
  if (error instanceof RetryableError) return error.code === 'github-unreadable';
  if (!(error instanceof RequestError) || SAID_BY_OTHERS.has(error.status)) return false;
  return error.status >= 400 && error.status < 500 && refusalOf(error) === undefined;
}

/** An answer of the API. Throws what `notTheApi` makes when it is not of that shape: a login page, another program. */
export function readAnswer<Shape extends z.ZodType>(
  shape: Shape,
  data: unknown,
  apiUrl: string,
): z.output<Shape> {
  const read = shape.safeParse(data);
  if (read.success) return read.data;
  throw notTheApi(apiUrl);
}

/** At the address is something else than GitHub's API. */
export function notTheApi(apiUrl: string): TerminalError {
  const message = `${apiUrl} is not GitHub's API`;
  return new TerminalError('github-not-the-api', message, { hint: whereItIs(new URL(apiUrl)) });
}

function whereItIs({ hostname, origin, pathname }: URL): string {
  if (/^(?:.+\.)?github\.com$/.test(hostname)) {
    return "remove GITHUB_API_URL: github.com's is https://api.github.com";
  }
  return pathname === BELOW_SERVER
    ? 'see that GITHUB_API_URL, or GITHUB_SERVER_URL, names the right host'
    : `set GITHUB_API_URL to where it is, on GitHub Enterprise Server ${origin}${BELOW_SERVER}`;
}
