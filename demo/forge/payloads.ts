import { createRequire } from 'node:module';
import { isJsonObject, objectAt, parseJson, textAt, type JsonObject } from '../json.ts';
import type { PushFacts } from './push-events.ts';

export interface ReleaseFacts {
  /** Default `published`. */
  action?: string;
  draft?: boolean;
  prerelease?: boolean;
}

export interface WorkflowRunFacts {
  sha: string;
  /** Default `main`. */
  branch?: string;
  /** The workflow's name; default `CI`. */
  workflow?: string;
  /** Default `completed`. */
  action?: string;
  /** Default `success`; null while it runs. */
  conclusion?: string | null;
  /** What started it; default `push`. */
  event?: string;
  /** `owner/name` of the repository the commit is from, for forks; null when it was deleted. Default: the same. */
  headRepository?: string | null;
}

export interface ProtectionFacts {
  sha: string;
  environment: string;
  /** GitHub's number of the workflow run that waits. */
  workflowRun: number;
}

/** Payloads in the shape that GitHub sends, made from the examples of @octokit/webhooks-examples. */
export interface Payloads {
  push: (repository: string, facts: PushFacts) => JsonObject;
  release: (repository: string, tag: string, facts: ReleaseFacts) => JsonObject;
  workflowRun: (repository: string, facts: WorkflowRunFacts) => JsonObject;
  /** A job that waits at an environment. There is no example of it: its deployment is that of the example of `deployment`. */
  protectionRule: (repository: string, facts: ProtectionFacts) => JsonObject;
  /** The user or app that did something, as the API shows it. */
  account: (login: string) => JsonObject;
  repository: (name: string) => JsonObject;
}

export function createPayloads(options: {
  url: string;
  repositories: readonly string[];
  /** Set when a GitHub App is installed: the id of its installation at an owner. */
  installation: (owner: string) => number | undefined;
}): Payloads {
  const { url, repositories, installation } = options;
  const created = new Date();
  const pushed = findExample('push', (example) => 'organization' in example);
  const released = findExample('release', (example) => example['action'] === 'published');
  const ran = findExample('workflow_run', (example) => example['action'] === 'completed');

  const deployed = findExample('deployment', (example) => example['action'] === 'created');

  const repository: Payloads['repository'] = (name) => {
    const [owner = '', short = ''] = name.split('/');
    const example = objectAt(pushed, 'repository');
    const copy = rewrite(example, { url, from: textAt(example, 'full_name'), to: name });
    return {
      ...copy,
      id: repositories.indexOf(name) + 1 || 900_000 + name.length,
      name: short,
      full_name: name,
      owner: { ...account(owner), type: 'Organization' },
      private: false,
      default_branch: 'main',
      master_branch: 'main',
      created_at: created.toISOString(),
      updated_at: created.toISOString(),
      pushed_at: new Date().toISOString(),
    };
  };

  function account(login: string): JsonObject {
    const example = objectAt(pushed, 'sender');
    const from = textAt(example, 'login');
    const copy = rewrite(example, { url, from, to: encodeURIComponent(login) });
    const id = 1000 + Buffer.from(login).reduce((sum, byte) => sum + byte, 0);
    return { ...copy, login, id, type: login.endsWith('[bot]') ? 'Bot' : 'User' };
  }

  const common = (name: string): JsonObject => {
    const owner = name.split('/')[0] ?? '';
    const id = installation(owner);
    const organization = objectAt(pushed, 'organization');
    return {
      repository: repository(name),
      organization: rewrite(organization, { url, from: textAt(organization, 'login'), to: owner }),
      sender: account('demo'),
      ...(id === undefined ? {} : { installation: { id, node_id: nodeId('Installation', id) } }),
    };
  };

  return {
    repository,
    account,
    push: (name, facts) => ({
      ...facts,
      ...common(name),
      // Only here GitHub writes these two as seconds since the epoch.
      repository: {
        ...repository(name),
        created_at: Math.floor(created.getTime() / 1000),
        pushed_at: Math.floor(Date.now() / 1000),
      },
      pusher: { name: 'demo', email: 'demo@example.com' },
    }),
    release(name, tag, facts) {
      const example = objectAt(released, 'release');
      const at = new Date().toISOString();
      const draft = facts.draft ?? false;
      return {
        action: facts.action ?? 'published',
        release: {
          ...rewrite(example, { url, from: 'Codertocat/Hello-World', to: name }),
          html_url: `${url}/${name}/releases/tag/${encodeURIComponent(tag)}`,
          tag_name: tag,
          target_commitish: 'main',
          name: tag,
          draft,
          prerelease: facts.prerelease ?? false,
          author: account('demo'),
          created_at: at,
          published_at: draft ? null : at,
        },
        ...common(name),
      };
    },
    protectionRule(name, { sha, environment, workflowRun }) {
      const names = { url, from: 'Codertocat/Hello-World', to: name };
      return {
        action: 'requested',
        environment,
        event: 'push',
        deployment_callback_url: `${url}/repos/${name}/actions/runs/${workflowRun}/deployment_protection_rule`,
        deployment: {
          ...rewrite(objectAt(deployed, 'deployment'), names),
          sha,
          ref: 'main',
          environment,
          original_environment: environment,
        },
        pull_requests: [],
        ...common(name),
      };
    },
    workflowRun(name, facts) {
      const workflow = facts.workflow ?? 'CI';
      const action = facts.action ?? 'completed';
      const names = { url, from: 'octo-org/octo-repo', to: name };
      const head = facts.headRepository === undefined ? name : facts.headRepository;
      const run = rewrite(objectAt(ran, 'workflow_run'), names);
      return {
        action,
        workflow_run: {
          ...run,
          name: workflow,
          head_branch: facts.branch ?? 'main',
          head_sha: facts.sha,
          head_commit: { ...objectAt(run, 'head_commit'), id: facts.sha },
          event: facts.event ?? 'push',
          status: action === 'completed' ? 'completed' : 'in_progress',
          conclusion: action === 'completed' ? (facts.conclusion ?? 'success') : null,
          repository: repository(name),
          head_repository: head === null ? null : { ...repository(head), fork: head !== name },
        },
        workflow: { ...rewrite(objectAt(ran, 'workflow'), names), name: workflow },
        ...common(name),
      };
    },
  };
}

/** GitHub's opaque global id, near enough: the type and the number, in base 64. */
export function nodeId(type: string, id: number): string {
  return Buffer.from(`0:${type}${id}`).toString('base64');
}

function findExample(event: string, accept: (example: JsonObject) => boolean): JsonObject {
  const require = createRequire(import.meta.url);
  const definitions: unknown = require('@octokit/webhooks-examples');
  const definition = Array.isArray(definitions)
    ? definitions.filter(isJsonObject).find((each) => each['name'] === event)
    : undefined;
  const examples = definition?.['examples'];
  const example = Array.isArray(examples) ? examples.filter(isJsonObject).find(accept) : undefined;
  if (example === undefined) throw new Error(`@octokit/webhooks-examples has no such ${event}`);
  return example;
}

/** A copy with GitHub's addresses replaced by ours, and one repository's (or account's) name by another. */
function rewrite(
  example: JsonObject,
  { url, from, to }: { url: string; from: string; to: string },
): JsonObject {
  const text = JSON.stringify(example)
    .replaceAll('https://api.github.com', url)
    .replaceAll('https://github.com', url)
    .replaceAll(from, to);
  return objectAt({ copy: parseJson(text) }, 'copy');
}
