import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeError } from '../src/lib/errors.ts';
import type { Logger } from '../src/lib/logger.ts';
import { createGitHubApi, type AppSeed, type GitHubApi } from './forge/api.ts';
import { createCredentials } from './forge/credentials.ts';
import { answerApi, answerGit, type JournalEntry } from './forge/exchange.ts';
import { createFaults, type Faults } from './forge/faults.ts';
import { createGitServer, type GitServer, type Push } from './forge/git-server.ts';
import { createHooks } from './forge/hooks.ts';
import { createJournal } from './forge/journal.ts';
import type { ForgeFacts } from './forge/operations.ts';
import {
  createPayloads,
  type ProtectionFacts,
  type ReleaseFacts,
  type WorkflowRunFacts,
} from './forge/payloads.ts';
import { GITHUB_COMMIT_CAP, readPushEvents } from './forge/push-events.ts';
import {
  createWebhooks,
  type Delivery,
  type DeliveryOptions,
  type Hook,
  type Webhooks,
} from './forge/webhooks.ts';
import { git } from './git.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';
import { portOf } from './listen.ts';
import { createRequestValidator } from './openapi.ts';

export type { JournalEntry };

export interface ForgeOptions {
  /** `owner/name` each; every one starts empty, with the default branch `main`. */
  repositories: readonly string[];
  /** Whether a GitHub App is installed at every owner. Without one only the token works. */
  app?: boolean;
  /** Whether git asks for credentials also to read, not only to push; default false, as for public repositories. */
  privateRepositories?: boolean;
  /** How many commits a push event lists; default GitHub's 2048. */
  commitCap?: number;
  /** How long a receiver of webhooks may take, in milliseconds; default GitHub's ten seconds. */
  webhookTimeoutMs?: number;
  logger?: Logger;
}

/** GitHub, as far as Mainsheet can see: API, git over HTTP, webhooks. */
export interface Forge {
  /** Both `GITHUB_API_URL` and `GITHUB_SERVER_URL`. */
  url: string;
  /** A personal access token, good for the API and as git's password. */
  token: string;
  /** The App's id and private key (PEM); undefined without an App. */
  appId: string | undefined;
  privateKey: string | undefined;
  /** Ends all tokens that the App has got so far. */
  revokeTokens: () => void;
  /** Requests to the API (not to git), oldest first. */
  journal: readonly JournalEntry[];
  /** Resolves with the first request, past or to come, that the predicate accepts; rejects after `timeoutMs`. */
  waitFor: (
    predicate: (entry: JournalEntry) => boolean,
    timeoutMs: number,
  ) => Promise<JournalEntry>;
  /** All that GitHub's API description has against any request so far. */
  problems: () => string[];
  /** Faults for requests to the API and to git. */
  faults: Pick<Faults, 'next' | 'left'>;

  /** Statuses of a commit, newest first, read back through the API; so are the next two. */
  statuses: (repository: string, sha: string) => Promise<JsonObject[]>;
  /** Deployments, newest first, each with its `statuses`, newest first. */
  deployments: (repository: string) => Promise<(JsonObject & { statuses: JsonObject[] })[]>;
  /** Dispatches, oldest first: `{event_type, client_payload, created_at}`. GitHub's API has no read for them. */
  dispatches: (repository: string) => Promise<JsonObject[]>;

  /** What jobs of Actions were answered, oldest first: `{run_id, environment_name, state, comment}`. */
  reviews: (repository: string) => Promise<JsonObject[]>;

  /** Sets the receiver of webhooks; there is one, as for a GitHub App. From then on every `git push` is sent to it. */
  hook: (hook: Hook) => void;
  deliveries: readonly Delivery[];
  waitForDelivery: (
    predicate: (delivery: Delivery) => boolean,
    timeoutMs: number,
  ) => Promise<Delivery>;
  /** Sends a payload (a string goes out as it is) to the receiver, subscribed or not. */
  deliver: (event: string, payload: Json, options?: DeliveryOptions) => Promise<Delivery>;
  /** Sends a former delivery again, byte for byte and with its id, to the present receiver. */
  redeliver: (id: string) => Promise<Delivery>;
  /** Payloads to deliver. */
  release: (repository: string, tag: string, facts?: ReleaseFacts) => JsonObject;
  workflowRun: (repository: string, facts: WorkflowRunFacts) => JsonObject;
  protectionRule: (repository: string, facts: ProtectionFacts) => JsonObject;

  /** Ends servers, processes and open connections, and removes the repositories. Once is enough, twice does no harm. */
  close: () => Promise<void>;
}

const APP = { id: 4242, slug: 'mainsheet' };

/** Starts a forge on a free port of 127.0.0.1. */
export async function createForge(options: ForgeOptions): Promise<Forge> {
  const { repositories, logger, commitCap = GITHUB_COMMIT_CAP } = options;
  const root = await mkdtemp(join(tmpdir(), 'mainsheet-forge-'));
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${portOf(server)}`;

  const app =
    options.app === true ? { ...APP, installations: installations(repositories) } : undefined;
  const credentials = createCredentials();
  const validator = createRequestValidator();
  const faults = createFaults();
  const journal = createJournal<JournalEntry>(
    ({ method, path, status }) => `${method} ${path} ${status}`,
  );
  const payloads = createPayloads({
    url,
    repositories,
    installation: (owner) => app?.installations.get(owner),
  });
  const webhooks = createWebhooks({
    target: app ? { type: 'integration', id: String(app.id) } : { type: 'repository', id: '1' },
    timeoutMs: options.webhookTimeoutMs,
  });
  let published = Promise.resolve();
  let closing: Promise<void> | undefined;
  const complain = (message: string, error: unknown) => {
    if (logger === undefined) process.emitWarning(`${message}: ${describeError(error)}`);
    else logger.error({ error }, message);
  };

  const gitServer = await createGitServer({
    root,
    repositories,
    refuses(request) {
      const caller = credentials.identify(request.headers);
      const mayRead = caller === 'none' && options.privateRepositories !== true;
      const isPush = request.url?.includes('git-receive-pack') === true;
      return caller === 'token' || (mayRead && !isPush) ? undefined : 401;
    },
    onPush(push) {
      // One after the other: a test that pushes twice sees the events in that order.
      published = published
        .then(() => publishPush(push))
        .catch((error: unknown) => complain('push could not be published', error));
    },
  });
  const api = await createGitHubApi({
    facts: forgeFacts({ url, gitServer, payloads, app }),
    repositories,
    credentials,
    app,
    hooks: createHooks(
      { url },
      {
        deliveries: () => webhooks.deliveries.entries,
        receiver: webhooks.receiver,
        hook: webhooks.hook,
      },
    ),
  });

  async function publishPush(push: Push): Promise<void> {
    const htmlUrl = `${url}/${push.repository}`;
    for (const facts of await readPushEvents(push, { commitCap, htmlUrl })) {
      logger?.debug({ repository: push.repository, ref: facts.ref }, 'push received');
      await webhooks.publish('push', payloads.push(push.repository, facts));
    }
  }

  server.on('request', (request, response) => {
    const method = request.method ?? 'GET';
    const path = request.url ?? '/';
    const fault = faults.take(method, path);
    const answered = gitServer.serves(new URL(path, url).pathname)
      ? answerGit(gitServer, request, response, fault)
      : answerApi({ api, request, response, fault, problems, note: journal.add });
    answered.catch((error: unknown) => {
      // Who hung up knows it already.
      if (!request.destroyed) complain('forge could not answer', error);
      response.destroy();
    });

    function problems(body: Json | undefined): string[] {
      return validator.check(method, path, body);
    }
  });

  return {
    url,
    token: credentials.token,
    appId: app && String(app.id),
    privateKey: api.privateKey,
    journal: journal.entries,
    waitFor: journal.waitFor,
    problems: () => journal.entries.flatMap((entry) => entry.problems),
    faults,
    revokeTokens: credentials.revokeIssued,
    ...readBacks(api),
    hook: webhooks.hook,
    deliveries: webhooks.deliveries.entries,
    waitForDelivery: webhooks.deliveries.waitFor,
    deliver: webhooks.deliver,
    redeliver: webhooks.redeliver,
    release: (repository, tag, facts = {}) => payloads.release(repository, tag, facts),
    workflowRun: payloads.workflowRun,
    protectionRule: payloads.protectionRule,
    close() {
      closing ??= closeAll({
        server,
        gitServer,
        api,
        webhooks,
        journal,
        root,
        published: () => published,
      });
      return closing;
    },
  };
}

function installations(repositories: readonly string[]): Map<string, number> {
  const owners = [...new Set(repositories.map((name) => name.split('/')[0] ?? ''))];
  return new Map(owners.map((owner, index) => [owner, 7000 + index]));
}

function forgeFacts(parts: {
  url: string;
  gitServer: GitServer;
  payloads: Pick<ReturnType<typeof createPayloads>, 'account' | 'repository'>;
  app: AppSeed | undefined;
}): ForgeFacts {
  const { url, gitServer, payloads, app } = parts;
  return {
    url,
    spell: (repository) => gitServer.find(repository)?.repository ?? repository,
    resolveCommit: gitServer.resolveCommit,
    async isAncestor(repository, ancestor, descendant) {
      const directory = gitServer.find(repository)?.directory ?? '/';
      const args = ['merge-base', '--is-ancestor', ancestor, descendant];
      return git({ directory, args }).then(
        () => true,
        () => false,
      );
    },
    writer: () => payloads.account(app ? `${app.slug}[bot]` : 'demo'),
    repository: payloads.repository,
  };
}

function readBacks(
  api: GitHubApi,
): Pick<Forge, 'statuses' | 'deployments' | 'dispatches' | 'reviews'> {
  const list = async (path: string) => {
    const items = await api.read(path);
    return Array.isArray(items) ? items.filter(isJsonObject) : [];
  };
  return {
    statuses: (repository, sha) =>
      list(`/repos/${repository}/commits/${sha}/statuses?per_page=100`),
    async deployments(repository) {
      const deployments = await list(`/repos/${repository}/deployments?per_page=100`);
      return Promise.all(
        deployments.map(async (deployment) => ({
          ...deployment,
          statuses: await list(
            `/repos/${repository}/deployments/${Number(deployment['id'])}/statuses?per_page=100`,
          ),
        })),
      );
    },
    dispatches: (repository) => list(`/forge/dispatches/${repository}`),
    reviews: (repository) => list(`/forge/reviews/${repository}`),
  };
}

async function closeAll(parts: {
  server: ReturnType<typeof createServer>;
  gitServer: GitServer;
  api: GitHubApi;
  webhooks: Webhooks;
  journal: { close(): void };
  published: () => Promise<void>;
  root: string;
}): Promise<void> {
  const { server, gitServer, api, webhooks, journal, published, root } = parts;
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  journal.close();
  await gitServer.close();
  webhooks.close();
  await published();
  await Promise.all([closed, api.close()]);
  await rm(root, { recursive: true, force: true });
}
