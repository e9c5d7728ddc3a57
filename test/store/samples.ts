import type { StatusCallback } from '../../src/callbacks/status.ts';
import type { IncomingDelivery } from '../../src/store/inbox.ts';
import type { NewRun } from '../../src/store/runs.ts';

/** A push to `acme/storefront`, received at 1000. */
export function sampleDelivery(id: string, more: Partial<IncomingDelivery> = {}): IncomingDelivery {
  return {
    id,
    event: 'push',
    action: undefined,
    repository: 'acme/storefront',
    payload: `{"delivery":"${id}"}`,
    receivedAt: 1000,
    ...more,
  };
}

/** A queued run of the spec `storefront` in the lane `main`, made by a delivery of its own. */
export function sampleRun(id: string, more: Partial<NewRun> = {}): NewRun {
  return {
    id,
    spec: 'storefront',
    specDigest: 'digest',
    repository: 'acme/storefront',
    environment: 'production',
    lane: 'main',
    ref: 'refs/heads/main',
    branch: 'main',
    tag: undefined,
    sha: 'a'.repeat(40),
    event: 'push',
    delivery: `delivery of ${id}`,
    cause: 'event',
    state: 'queued',
    reason: 'Waiting in lane main',
    fault: undefined,
    cancelRequested: undefined,
    attempts: 0,
    outputs: {},
    createdAt: 1000,
    startedAt: undefined,
    finishedAt: undefined,
    ...more,
  };
}

export function sampleStatus(state: StatusCallback['state']): StatusCallback {
  return {
    kind: 'status',
    repository: 'acme/storefront',
    sha: 'a'.repeat(40),
    context: 'mainsheet/storefront',
    state,
    description: state,
    targetUrl: undefined,
  };
}
