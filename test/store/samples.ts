import type { StatusCallback } from '../../src/callbacks/status.ts';
import type { IncomingDelivery } from '../../src/store/inbox.ts';
import type { PulledEvent } from '../../src/store/plans.ts';
import type { Preview } from '../../src/store/previews.ts';
import { newRun, type NewRun } from '../../src/model/run.ts';

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

/** A queued run of the spec `storefront` in the lane `main`, made by a delivery of its own. Another lane is another environment. */
export function sampleRun(id: string, more: Partial<NewRun> = {}): NewRun {
  const run = {
    id,
    spec: 'storefront',
    specDigest: 'digest',
    repository: 'acme/storefront',
    environment: more.lane ?? 'production',
    lane: 'main',
    ref: 'refs/heads/main',
    branch: 'main',
    tag: undefined,
    sha: 'a'.repeat(40),
    event: 'push' as const,
    delivery: `delivery of ${id}`,
    batch: undefined,
    cause: 'event' as const,
    reason: 'Waiting in lane main',
    createdAt: 1000,
  };
  return { ...newRun(run), ...more };
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

/** Pull request 12, ready to be planned. */
export function samplePull(more: Partial<PulledEvent> = {}): PulledEvent {
  return {
    kind: 'pull_request',
    repository: 'Acme/Shop',
    number: 12,
    isReady: true,
    isClosed: false,
    base: 'main',
    head: 'a'.repeat(40),
    headBranch: 'feature',
    headRepository: 'acme/shop',
    title: '',
    defaultBranch: 'main',
    changedAt: 1,
    ...more,
  };
}

/** A live preview of pull request 7. */
export function samplePreview(more: Partial<Preview> = {}): Preview {
  return {
    spec: 'preview',
    repository: 'acme/storefront',
    number: 7,
    state: 'live',
    runId: '',
    sha: 'a'.repeat(40),
    fork: false,
    closed: false,
    changedAt: 1,
    notedAt: 1,
    dueAt: 0,
    reason: '',
    delivery: undefined,
    ...more,
  };
}
