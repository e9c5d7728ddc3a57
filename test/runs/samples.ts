import type { DeploymentSpec, LoadedSpec } from '../../src/model/deployment-spec.ts';

/** A spec `storefront` in the lane `main` that deploys nothing but its steps' names. */
export function sampleLoaded(more: Partial<DeploymentSpec> = {}): LoadedSpec {
  const spec: DeploymentSpec = {
    name: 'storefront',
    repository: 'acme/storefront',
    environment: 'production',
    productionEnvironment: true,
    transientEnvironment: false,
    on: { push: undefined, release: undefined, workflowRun: undefined },
    if: undefined,
    concurrency: { lane: 'main', queue: 'newest', cancelRunning: false },
    gates: [],
    afterRollback: 'hold',
    comments: false,
    plan: false,
    onInterrupt: 'restart',
    timeoutMs: 60_000,
    env: {},
    secrets: [],
    steps: ['Build', 'Smoke'].map((name) => ({
      kind: 'shell' as const,
      name,
      run: 'true',
      env: {},
      timeoutMs: undefined,
      retry: { attempts: 1, backoffMs: 0 },
    })),
    feedback: ['status', 'deployment'],
    notify: [],
    ...more,
  };
  return { spec, file: 'storefront.yaml', line: 1, text: 'name: storefront\n', digest: 'digest' };
}
