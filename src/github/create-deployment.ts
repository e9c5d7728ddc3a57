import type { Octokit } from '@octokit/rest';
import type { DeploymentCallback } from '../model/callback.ts';
import { unreadableAnswer } from './failure.ts';
import { description } from './fields.ts';

/** Where a request goes, as Octokit's routes take it. */
export interface Place {
  owner: string;
  repo: string;
  request: { signal: AbortSignal };
}

const PER_PAGE = 100;
/** The newest 500 deployments of one commit to one environment: one made minutes ago is among them. */
const MAX_PAGES = 5;

/**
 * Creates the run's Deployment and returns its number. GitHub has no idempotency keys, so after a try whose answer was lost
 * (`inDoubt`) the deployment that names the run in its payload is looked for first. GitHub is told not to merge and not to wait
 * for other statuses, Mainsheet's own pending one among them: whether to deploy was decided already.
 * https://docs.github.com/en/rest/deployments/deployments#create-a-deployment
 */
export async function createDeployment(
  octokit: Octokit,
  place: Place,
  deployment: DeploymentCallback,
  inDoubt: boolean,
): Promise<number> {
  const { sha, environment, runId, spec } = deployment;
  const earlier = inDoubt ? await findDeployment(octokit, place, deployment) : undefined;
  if (earlier !== undefined) return earlier;
  const { status, data } = await octokit.request('POST /repos/{owner}/{repo}/deployments', {
    ...place,
    ref: sha,
    task: 'deploy',
    auto_merge: false,
    required_contexts: [],
    environment,
    description: description(deployment.description),
    transient_environment: deployment.transient ?? false,
    production_environment: deployment.production ?? environment === 'production',
    payload: { mainsheet: { run: runId, spec } },
  });
  // GitHub answers 202 with a message alone when it merged something instead, which it was told not to do.
  return madeId(status, data);
}

/** The number of what GitHub has made. Throws RetryableError when the answer is not the JSON that has one. */
export function madeId(status: number, data: unknown): number {
  const id = fieldOf(data, 'id');
  if (typeof id === 'number' && Number.isSafeInteger(id)) return id;
  throw unreadableAnswer(status);
}

async function findDeployment(
  octokit: Octokit,
  place: Place,
  { sha, environment, runId }: DeploymentCallback,
): Promise<number | undefined> {
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const { status, data } = await octokit.request('GET /repos/{owner}/{repo}/deployments', {
      ...place,
      sha,
      environment,
      per_page: PER_PAGE,
      page,
    });
    if (!Array.isArray(data)) throw unreadableAnswer(status);
    const found = data.find((deployment) => runOf(deployment.payload) === runId);
    if (found !== undefined) return Number(found.id);
    if (data.length < PER_PAGE) return undefined;
  }
  return undefined;
}

/** The run that a deployment's payload names. GitHub gives the payload back as an object or as its JSON text. */
function runOf(payload: unknown): unknown {
  const value = typeof payload === 'string' ? parseOrNothing(payload) : payload;
  const ours = fieldOf(value, 'mainsheet');
  return fieldOf(ours, 'run');
}

function parseOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.getOwnPropertyDescriptor(value, key)?.value
    : undefined;
}
