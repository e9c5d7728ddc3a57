import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { ApiAnswer } from '../git/git-server.ts';
import { startController, type Controller } from '../support/controller.ts';
import { deafUrl } from '../support/deaf.ts';
import { startGitHost, type ApiRequest, type GitHost } from '../support/git-host.ts';
import { until } from '../support/until.ts';
import type { ExplainView, RunView } from '../support/world.ts';

const SECRET = 'a secret of the webhook';
const TOKEN = 'token-of-the-server';

interface Push {
  before: string;
  after: string;
}

/** A git server: how it tells of a push, and what its documentation says of commit statuses. */
interface Kind {
  type: 'gitlab' | 'bitbucket' | 'gitea';
  path: string;
  gitUser: string;
  authorization: string;
  statusPath: (sha: string) => string;
  headers: (body: string, id: string) => Record<string, string>;
  /** `evil`: where the body says that the repository is. */
  push: (push: Push, evil: string) => object;
  /** The states that are shown, in their order. */
  states: string[];
  /** The field that names the status. */
  name: string;
}

const hex = (body: string) => createHmac('sha256', SECRET).update(body).digest('hex');

const KINDS: Kind[] = [
  {
    type: 'gitlab',
    path: 'acme/web/shop',
    gitUser: 'oauth2',
    authorization: `Bearer ${TOKEN}`,
    statusPath: (sha) => `/api/v4/projects/acme%2Fweb%2Fshop/statuses/${sha}`,
    headers: (_body, id) => ({
      'X-Gitlab-Event': 'Push Hook',
      'X-Gitlab-Token': SECRET,
      'Idempotency-Key': id,
    }),
    push: ({ before, after: sha }, evil) => ({
      object_kind: 'push',
      event_name: 'push',
      ref: 'refs/heads/main',
      before,
      after: sha,
      checkout_sha: sha,
      project: {
        path_with_namespace: 'acme/web/shop',
        git_http_url: `${evil}/acme/web/shop.git`,
        web_url: evil,
      },
      commits: [],
      total_commits_count: 1,
    }),
    states: ['pending', 'running', 'success'],
    name: 'name',
  },
  {
    type: 'bitbucket',
    path: 'acme/shop',
    gitUser: 'x-token-auth',
    authorization: `Bearer ${TOKEN}`,
    statusPath: (sha) => `/2.0/repositories/acme/shop/commit/${sha}/statuses/build`,
    headers: (body, id) => ({
      'X-Event-Key': 'repo:push',
      'X-Request-UUID': id,
      'X-Hub-Signature': `sha256=${hex(body)}`,
    }),
    push: ({ before, after: sha }, evil) => ({
      push: {
        changes: [
          {
            old: { type: 'branch', name: 'main', target: { hash: before } },
            new: { type: 'branch', name: 'main', target: { hash: sha } },
            created: false,
            closed: false,
            forced: false,
          },
        ],
      },
      repository: { full_name: 'acme/shop', links: { self: { href: evil } } },
    }),
    states: ['INPROGRESS', 'SUCCESSFUL'],
    name: 'key',
  },
  {
    type: 'gitea',
    path: 'acme/shop',
    gitUser: 'oauth2',
    authorization: `token ${TOKEN}`,
    statusPath: (sha) => `/api/v1/repos/acme/shop/statuses/${sha}`,
    headers: (body, id) => ({
      'X-Gitea-Event': 'push',
      'X-GitHub-Event': 'push',
      'X-Gitea-Delivery': id,
      'X-Gitea-Signature': hex(body),
    }),
    push: ({ before, after: sha }, evil) => ({
      ref: 'refs/heads/main',
      before,
      after: sha,
      commits: [],
      // GitHub numbers repositories, too: this is none of GitHub's.
      repository: { id: 1, full_name: 'acme/shop', clone_url: `${evil}/acme/shop.git` },
    }),
    states: ['pending', 'success'],
    name: 'context',
  },
];

/** As the servers answer: GitLab refuses a state that the commit has, and any may ask for patience. */
function createApi(kind: Kind): (request: ApiRequest) => ApiAnswer {
  const last = new Map<string, unknown>();
  let isFirst = true;
  return ({ authorization, path, body }) => {
    if (authorization !== kind.authorization) return { status: 401 };
    if (isFirst) {
      isFirst = false;
      return { status: 429, headers: { 'Retry-After': '1' } };
    }
    if (kind.type === 'gitlab' && last.get(path) === body['state']) {
      return {
        status: 400,
        body: { message: 'Cannot transition status via :enqueue from :pending' },
      };
    }
    last.set(path, body['state']);
    return { status: 201, body: {} };
  };
}

const SPECS = KINDS.map(
  ({ type, path }) => `
name: on-${type}
repository: ${type}:${path}
on: { push: { branches: [main] } }
concurrency: shop
steps: [{ run: 'echo "of=$MAINSHEET_REPOSITORY $(cat file)" >> "$MAINSHEET_OUTPUT"' }]
---
kind: hook
id: ${type}
sender: ${type}
server: ${type}
secrets: SECRET
`,
);
/** The same name on GitHub, and in the same lane. */
const ON_GITHUB = `
name: on-github
repository: acme/shop
on: push
concurrency: shop
steps: [{ run: 'true' }]
`;

let controller: Controller;
const hosts = new Map<string, GitHost>();
before(async () => {
  for (const kind of KINDS) {
    const { path, gitUser } = kind;
    const host = await startGitHost({ path, gitUser, token: TOKEN, api: createApi(kind) });
    hosts.set(kind.type, host);
  }
  const tokens = KINDS.map(({ type }) => [`MAINSHEET_SERVER_${type.toUpperCase()}_TOKEN`, TOKEN]);
  controller = await startController({
    forge: { url: await deafUrl(), token: 'token-of-github' },
    specs: { 'specs.yaml': [...SPECS, ON_GITHUB].join('---') },
    env: {
      ...Object.fromEntries(tokens),
      MAINSHEET_SERVERS: KINDS.map(({ type }) => `${type} ${type} ${hosts.get(type)?.url}`).join(
        ',',
      ),
      MAINSHEET_SECRET_SECRET: SECRET,
    },
  });
});
after(async () => {
  await controller.remove();
  for (const host of hosts.values()) await host.close();
});

for (const kind of KINDS) {
  describe(kind.type, () => {
    const host = () => {
      const found = hosts.get(kind.type);
      assert.ok(found);
      return found;
    };

    async function send(body: string, id: string, headers = kind.headers(body, id)) {
      const response = await fetch(`${controller.url}/webhooks/v1/hooks/${kind.type}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers },
        body,
      });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    }

    const runsOf = async (sha: string) =>
      (await controller.get<{ items: RunView[] }>(`/runs?sha=${sha}`)).items;

    test('a push is deployed from the server that is set, told there in order, and counted once', async () => {
      await host().commit('first');
      const push = await host().commit('second');
      const sha = push.after;
      const evil = await deafUrl();
      const body = JSON.stringify(kind.push(push, evil.replace(/\/$/, '')));

      const first = await send(body, 'id-1');
      assert.equal(first.status, 202, JSON.stringify(first.body));
      const again = await send(body, 'id-1');
      assert.deepEqual([again.status, again.body['duplicate']], [202, true]);

      const [run] = await until('the run has ended', async () => {
        const runs = await runsOf(sha);
        return runs[0]?.state === 'succeeded' && runs;
      });
      assert.equal(run?.spec, `on-${kind.type}`);
      assert.equal(run.outputs['of'], `${kind.type}:${kind.path} 2`);
      const delivery = String(first.body['delivery']);
      const explained = await controller.get<ExplainView>(`/deliveries/${delivery}/explain`);
      assert.deepEqual(
        explained.specs.map(({ spec, matched }) => [spec, matched]),
        [[`on-${kind.type}`, true]],
      );

      const told = await until('the end is told', () => {
        const states = host().asked.filter(({ path }) => path === kind.statusPath(sha));
        return states.at(-1)?.body['state'] === kind.states.at(-1) && states;
      });
      // A later state may have made an earlier one pointless.
      const places = told.map(({ body: { state } }) => kind.states.indexOf(String(state)));
      assert.deepEqual(
        places,
        places.toSorted((a, b) => a - b),
      );
      assert.ok(!places.includes(-1));
      assert.equal(told.at(-1)?.body[kind.name], `mainsheet/on-${kind.type}`);
      assert.equal(host().asked.length, told.length, 'nothing else was asked for');
      await until('nothing is left to send', async () => {
        const { items } = await controller.get<{ items: unknown[] }>('/outbox?state=pending');
        return items.length === 0;
      });
      assert.equal((await runsOf(sha)).length, 1);
    });

    test('a body that is signed with another secret, or by GitHub’s header alone, starts nothing', async () => {
      const push = await host().commit('forged');
      const body = JSON.stringify(kind.push(push, 'https://evil.example'));
      const wrong = Object.fromEntries(
        Object.entries(kind.headers(`${body} `, 'id-2')).map(([name, value]) => [
          name,
          value === SECRET ? `${SECRET}x` : value,
        ]),
      );
      assert.equal((await send(body, 'id-2', wrong)).status, 401);
      const asGitHub = { 'X-GitHub-Event': 'push', 'X-Hub-Signature-256': `sha256=${hex(body)}` };
      assert.equal((await send(body, 'id-2', asGitHub)).status, 401);
      assert.deepEqual(await runsOf(push.after), []);
    });
  });
}

test('no token is in the log, and none went to another server', () => {
  assert.equal(JSON.stringify(controller.log).includes(TOKEN), false);
  for (const { type, authorization } of KINDS) {
    for (const one of hosts.get(type)?.asked ?? []) assert.equal(one.authorization, authorization);
  }
});
