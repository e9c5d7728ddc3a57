import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { textAt, type Json, type JsonObject } from '../../demo/json.ts';
import type { FileChange, Sample } from '../../demo/sample.ts';
import { until } from './until.ts';
import type { World } from './world.ts';

/** A pull request that the forge knows of as GitHub knows of a fork's: at `refs/pull/<number>/head`, and on no branch. */
export interface Pull {
  number: number;
  head: string;
}

/** Pull requests of a repository of the world's forge. */
export function createPulls({ forge }: Pick<World, 'forge'>, sample: Sample) {
  const { repository } = sample;
  let changedAt = Date.parse('2026-01-01T00:00:00Z');

  async function api(method: string, path: string, body?: Json): Promise<Json> {
    const answer = await fetch(`${forge.url}/repos/${repository}${path}`, {
      method,
      headers: { authorization: `Bearer ${forge.token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
    return (await answer.json()) as Json;
  }

  async function push(number: number, files: Record<string, FileChange>): Promise<Pull> {
    const head = await sample.commit({ message: 'change', branch: `pull-${number}`, files });
    await sample.push(`+HEAD:refs/pull/${number}/head`);
    await sample.git('checkout', '--quiet', 'main');
    return { number, head };
  }

  async function commentsOn(number: number): Promise<string[]> {
    const found = (await api('GET', `/issues/${number}/comments?per_page=100`)) as JsonObject[];
    return found.map((comment) => textAt(comment, 'body'));
  }

  async function checksOf(sha: string): Promise<JsonObject[]> {
    const answer = (await api('GET', `/commits/${sha}/check-runs?filter=all`)) as JsonObject;
    return answer['check_runs'] as JsonObject[];
  }

  return {
    /** Makes one of these files. */
    async open(files: Record<string, FileChange>): Promise<Pull> {
      const issue = (await api('POST', '/issues', { title: 'A pull request' })) as JsonObject;
      return await push(Number(issue['number']), files);
    },
    /** Adds a commit to it. */
    push,
    commentsOn,
    checksOf,

    /** Sends GitHub's example of an event, of this pull request. `more`: fields of `pull_request`. */
    async tell(action: string, { number, head }: Pull, more: JsonObject = {}): Promise<string> {
      const example = exampleOf(action);
      const pull = example['pull_request'] as JsonObject;
      changedAt += 1000;
      const { id } = await forge.deliver('pull_request', {
        ...example,
        number,
        repository: forge.release(repository, 'v1')['repository'] ?? null,
        pull_request: {
          ...pull,
          number,
          updated_at: new Date(changedAt).toISOString(),
          base: { ...(pull['base'] as JsonObject), ref: 'main' },
          head: { ...(pull['head'] as JsonObject), sha: head },
          ...more,
        },
      });
      return id;
    },

    /** Waits until the one comment on it and the one check run of its commit are there, and speak of that commit. */
    async saidOf({ number, head }: Pull): Promise<{ text: string; check: JsonObject }> {
      return await until(`the plan of ${number} at ${head}`, async () => {
        const comments = await commentsOn(number);
        const [check, ...more] = await checksOf(head);
        const isSaid = comments.some((text) => text.includes(`\`${head.slice(0, 7)}\``));
        if (check === undefined || !isSaid) return undefined;
        assert.deepEqual([comments.length, more.length], [1, 0]);
        return { text: comments[0] ?? '', check };
      });
    },
  };
}

function exampleOf(action: string): JsonObject {
  const path = createRequire(import.meta.url).resolve('@octokit/webhooks-examples');
  const definitions = JSON.parse(readFileSync(path, 'utf8')) as {
    name: string;
    examples: JsonObject[];
  }[];
  const example = definitions
    .find(({ name }) => name === 'pull_request')
    ?.examples.find((one) => one['action'] === action);
  assert.ok(example, `no example of ${action}`);
  return example;
}
