import type { Octokit } from '@octokit/rest';
import type { Answered } from '../model/callback.ts';
import { fieldOf } from './fields.ts';

/** Longer ones are not kept. */
const MOST_URL = 500;

/** Listens to the answers of one message. Each listener behaves as what it listens to. */
export interface Ears {
  octokit(octokit: Octokit): Octokit;
  fetch(from: typeof fetch): typeof fetch;
  /** What the last request was answered, but for those that only read; undefined when none was answered. */
  answered(): Answered | undefined;
}

/**
 * Keeps of an answer its status, and of GitHub's also the number and the page of what was made: no text of it, so that nothing has to
 * be masked. Of other receivers the status alone, since their URLs may be secret.
 */
export function createEars(): Ears {
  let last: Answered | undefined;
  return {
    octokit(octokit) {
      const request = new Proxy(octokit.request, {
        async apply(target, self, args: Parameters<typeof octokit.request>) {
          const response: unknown = await Reflect.apply(target, self, args);
          const isRead = typeof args[0] === 'string' && args[0].startsWith('GET ');
          if (!isRead) last = ofGitHub(response);
          return response;
        },
      });
      return Object.create(octokit, { request: { value: request } }) as Octokit;
    },
    fetch: (from) => async (input, init) => {
      const response = await from(input, init);
      last = { status: response.status };
      return response;
    },
    answered: () => last,
  };
}

function ofGitHub(response: unknown): Answered {
  const status = fieldOf(response, 'status');
  const data = fieldOf(response, 'data');
  const id = fieldOf(data, 'id');
  const url = pageOf(fieldOf(data, 'html_url')) ?? pageOf(fieldOf(data, 'url'));
  return {
    ...(typeof status === 'number' ? { status } : {}),
    ...(Number.isSafeInteger(id) ? { id: String(id) } : {}),
    ...(url === undefined ? {} : { url }),
  };
}

/** An https address without what could be a secret: user, password and query. */
function pageOf(text: unknown): string | undefined {
  const url = typeof text === 'string' && text.length <= MOST_URL ? URL.parse(text) : null;
  if (url?.protocol !== 'https:') return undefined;
  url.username = '';
  url.password = '';
  url.search = '';
  return url.href.length <= MOST_URL ? url.href : undefined;
}
