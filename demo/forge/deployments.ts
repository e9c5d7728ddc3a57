import { parseJson, textAt, type Json, type JsonObject } from '../json.ts';
import {
  notFound,
  refuseText,
  unprocessable,
  type ForgeFacts,
  type OperationAnswer,
  type OperationHandler,
} from './operations.ts';
import { nodeId } from './payloads.ts';
import type { Statuses } from './statuses.ts';

interface Deployment {
  repository: string;
  id: number;
  shown: JsonObject;
  /** Newest first. */
  statuses: JsonObject[];
}

/** Deployments and their statuses that are kept: https://docs.github.com/en/rest/deployments */
export function createDeployments(
  facts: ForgeFacts,
  commitStatuses: Statuses,
): Record<string, OperationHandler> {
  const deployments: Deployment[] = [];
  let statusCount = 0;
  const find = (repository: string, id: string | undefined) =>
    deployments.find((each) => each.repository === repository && String(each.id) === id);

  async function conflict(
    repository: string,
    sha: string,
    body: JsonObject,
  ): Promise<OperationAnswer | undefined> {
    const ref = textAt(body, 'ref');
    const states = new Map(
      commitStatuses.latest(repository, sha).map((each) => [each['context'], each['state']]),
    );
    const required = body['required_contexts'];
    const contexts = Array.isArray(required) ? required : [...states.keys()];
    if (contexts.some((context) => states.get(context) !== 'success')) {
      return conflicts(`Conflict: Commit status checks failed for ${ref}.`);
    }

    const main = await facts.resolveCommit(repository, 'refs/heads/main');
    const mayMerge = body['auto_merge'] !== false;
    if (mayMerge && main && !(await facts.isAncestor(repository, main, sha))) {
      // GitHub would try to merge main into the ref first; a deployment of an exact commit must never want that.
      return conflicts(`Conflict merging main into ${ref}.`);
    }
    return undefined;
  }

  function addStatus(deployment: Deployment, body: JsonObject): JsonObject {
    statusCount += 1;
    const url = textAt(deployment.shown, 'url');
    const at = new Date().toISOString();
    const environment = textAt(body, 'environment', textAt(deployment.shown, 'environment'));
    const logUrl = textAt(body, 'log_url', textAt(body, 'target_url', ''));
    const status: JsonObject = {
      url: `${url}/statuses/${statusCount}`,
      id: statusCount,
      node_id: nodeId('DeploymentStatus', statusCount),
      state: body['state'] ?? 'pending',
      creator: facts.writer(),
      description: textAt(body, 'description', ''),
      environment,
      target_url: logUrl,
      log_url: logUrl,
      environment_url: textAt(body, 'environment_url', ''),
      created_at: at,
      updated_at: at,
      deployment_url: url,
      repository_url: deployment.shown['repository_url'] ?? '',
    };
    deployment.statuses.unshift(status);
    deployment.shown['environment'] = environment;
    deployment.shown['updated_at'] = at;
    return status;
  }

  /** https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status, `auto_inactive` */
  function deactivatePrior(deployment: Deployment): void {
    for (const prior of deployments) {
      const isPrior = prior.repository === deployment.repository && prior.id < deployment.id;
      const sameEnvironment = prior.shown['environment'] === deployment.shown['environment'];
      const isSpared =
        prior.shown['transient_environment'] === true ||
        prior.shown['production_environment'] === true;
      const succeeded = prior.statuses[0]?.['state'] === 'success';
      if (isPrior && sameEnvironment && !isSpared && succeeded) {
        addStatus(prior, { state: 'inactive' });
      }
    }
  }

  return {
    async 'repos/create-deployment'({ repository, body }) {
      const ref = textAt(body, 'ref');
      const sha = await facts.resolveCommit(repository, ref);
      if (sha === undefined) return unprocessable(`No ref found for: ${ref}`);
      const refused = await conflict(repository, sha, body);
      if (refused !== undefined) return refused;
      const id = deployments.length + 1;
      const shown = showDeployment({ facts, repository, id, sha, body });
      deployments.push({ repository, id, shown, statuses: [] });
      return { status: 201, body: shown };
    },

    'repos/list-deployments'({ repository, query }) {
      const filters = ['sha', 'ref', 'task', 'environment'].flatMap((name) => {
        const value = query.get(name);
        return value === null || value === 'none' ? [] : [{ name, value }];
      });
      const list = deployments
        .filter((each) => each.repository === repository)
        .map((each) => each.shown)
        .filter((shown) => filters.every(({ name, value }) => shown[name] === value))
        .toReversed();
      return { status: 200, list };
    },

    'repos/get-deployment'({ repository, params }) {
      const deployment = find(repository, params['deployment_id']);
      return deployment === undefined ? notFound() : { status: 200, body: deployment.shown };
    },

    'repos/create-deployment-status'({ repository, params, body }) {
      const deployment = find(repository, params['deployment_id']);
      if (deployment === undefined) return notFound();
      const refused = refuseText('DeploymentStatus', 'description', body['description']);
      if (refused !== undefined) return refused;
      const status = addStatus(deployment, body);
      if (body['state'] === 'success' && body['auto_inactive'] !== false) {
        deactivatePrior(deployment);
      }
      return { status: 201, body: status };
    },

    'repos/list-deployment-statuses'({ repository, params }) {
      const deployment = find(repository, params['deployment_id']);
      return deployment === undefined ? notFound() : { status: 200, list: deployment.statuses };
    },

    'repos/get-deployment-status'({ repository, params }) {
      const status = find(repository, params['deployment_id'])?.statuses.find(
        (each) => each['id'] === Number(params['status_id']),
      );
      return status === undefined ? notFound() : { status: 200, body: status };
    },
  };
}

function showDeployment(created: {
  facts: ForgeFacts;
  repository: string;
  id: number;
  sha: string;
  body: JsonObject;
}): JsonObject {
  const { facts, repository, id, sha, body } = created;
  const repositoryUrl = `${facts.url}/repos/${repository}`;
  const environment = textAt(body, 'environment', 'production');
  const at = new Date().toISOString();
  return {
    url: `${repositoryUrl}/deployments/${id}`,
    id,
    node_id: nodeId('Deployment', id),
    sha,
    ref: body['ref'] ?? sha,
    task: textAt(body, 'task', 'deploy'),
    payload: readPayload(body['payload'] ?? {}),
    original_environment: environment,
    environment,
    description: body['description'] ?? null,
    creator: facts.writer(),
    created_at: at,
    updated_at: at,
    statuses_url: `${repositoryUrl}/deployments/${id}/statuses`,
    repository_url: repositoryUrl,
    transient_environment: body['transient_environment'] === true,
    production_environment: body['production_environment'] ?? environment === 'production',
  };
}

/** A payload that was sent as a text of JSON comes back as what it says. */
function readPayload(payload: Json): Json {
  if (typeof payload !== 'string') return payload;
  try {
    return parseJson(payload);
  } catch {
    return payload;
  }
}

function conflicts(message: string): OperationAnswer {
  return { status: 409, body: { message } };
}
