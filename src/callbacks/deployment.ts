import type { Octokit } from '@octokit/rest';
import { cutText } from '../lib/cut-text.ts';
import { IMPORTANCE } from '../model/importance.ts';
import { hasEnded } from '../model/run.ts';
import type { Place, Way } from './contract.ts';
import { description, fieldOf, madeId, MAX_DESCRIPTION, withoutAstral } from './fields.ts';
import { githubKind } from './kind.ts';
import { findInPages } from './pages.ts';

/** Creates the run's Deployment: https://docs.github.com/en/rest/deployments/deployments */
export interface DeploymentCallback {
  kind: 'deployment';
  repository: string;
  runId: string;
  spec: string;
  sha: string;
  environment: string;
  production: boolean;
  transient: boolean;
  description: string;
}

/** What the outbox knows a run's Deployment by. */
export const deploymentTarget = (run: string): string => `deployment:${run}`;

/** The newest 500 deployments of one commit to one environment: one made minutes ago is among them. */
const MAX_PAGES = 5;

/**
 * The run's Deployment, which is created with it; a new one is pending at GitHub by itself. A run that ended as it was made has
 * none. It shares its target with its statuses, `deploymentStatus`.
 */
export const deployment = githubKind<DeploymentCallback>({
  kind: 'deployment',
  title: 'Deployment',
  chosenAs: 'deployment',
  at: 'github',

  due({ run, spec, previous, asked }) {
    if (previous !== undefined || hasEnded(run.state)) return [];
    return [
      {
        kind: 'deployment',
        repository: run.repository,
        runId: run.id,
        spec: run.spec,
        sha: run.sha,
        environment: run.environment,
        production: spec.productionEnvironment,
        transient: spec.transientEnvironment,
        description: cutText(
          `Mainsheet: ${[run.spec, ...(asked === undefined ? [] : [asked])].join('. ')}`,
          MAX_DESCRIPTION,
        ),
      },
    ];
  },

  target: ({ runId }) => deploymentTarget(runId),
  tells: () => 'created',
  importance: () => IMPORTANCE.creation,
  showsDeployed: true,
  bare: (message) => ({
    ...message,
    description: '',
    environment: withoutAstral(message.environment),
  }),
  doing: 'create the deployment of',
  act: create,
  numbered: ({ runId }) => deploymentTarget(runId),
  permissions: [{ name: 'deployments', least: 'write', why: 'to record deployments' }],
});

/**
 * Creates it and returns its number. GitHub has no idempotency keys, so after a try whose answer was lost (`retried`) the
 * Deployment that names the run in its payload is looked for first. GitHub is told not to merge and not to wait
 * for other statuses, Mainsheet's own pending one among them: whether to deploy was decided already.
 * https://docs.github.com/en/rest/deployments/deployments#create-a-deployment
 */
async function create(
  octokit: Octokit,
  place: Place,
  message: DeploymentCallback,
  { retried }: Pick<Way, 'retried'>,
): Promise<number> {
  const { sha, environment, runId, spec } = message;
  const earlier = retried ? await find(octokit, place, message) : undefined;
  if (earlier !== undefined) return earlier;
  const { status, data } = await octokit.request('POST /repos/{owner}/{repo}/deployments', {
    ...place,
    ref: sha,
    task: 'deploy',
    auto_merge: false,
    required_contexts: [],
    environment,
    description: description(message.description),
    transient_environment: message.transient,
    production_environment: message.production,
    payload: { mainsheet: { run: runId, spec } },
  });
  // GitHub answers 202 with a message alone when it merged something instead, which it was told not to do.
  return madeId(status, data);
}

async function find(
  octokit: Octokit,
  place: Place,
  { sha, environment, runId }: DeploymentCallback,
): Promise<number | undefined> {
  const found = await findInPages(
    MAX_PAGES,
    (at) =>
      octokit.request('GET /repos/{owner}/{repo}/deployments', {
        ...place,
        sha,
        environment,
        ...at,
      }),
    (each) => runOf(fieldOf(each, 'payload')) === runId,
  );
  return found === undefined ? undefined : Number(fieldOf(found, 'id'));
}

/** The run that a Deployment's payload names. GitHub gives the payload back as an object or as its JSON text. */
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
