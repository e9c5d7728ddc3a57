import type { Json } from './event.ts';
import type { Run } from './run.ts';

/** Something the world outside is to hear of, as it stands in the outbox. Never holds a secret. */
export type Callback =
  | StatusCallback
  | DeploymentCallback
  | DeploymentStatusCallback
  | DispatchCallback
  | WebhookCallback;

/** A commit status: https://docs.github.com/en/rest/commits/statuses */
export interface StatusCallback {
  kind: 'status';
  repository: string;
  sha: string;
  context: string;
  state: 'pending' | 'success' | 'failure' | 'error';
  /** At most 140 characters. */
  description: string;
  targetUrl: string | undefined;
}

/** Creates the run's Deployment: https://docs.github.com/en/rest/deployments/deployments */
export interface DeploymentCallback {
  kind: 'deployment';
  repository: string;
  runId: string;
  spec: string;
  sha: string;
  environment: string;
  /** Undefined in rows of older versions: whether the environment is called `production`. */
  production?: boolean;
  /** Undefined in rows of older versions: no. */
  transient?: boolean;
  description: string;
}

/** https://docs.github.com/en/rest/deployments/statuses */
export interface DeploymentStatusCallback {
  kind: 'deployment-status';
  repository: string;
  runId: string;
  environment: string;
  state: 'queued' | 'in_progress' | 'success' | 'failure' | 'error' | 'inactive';
  description: string;
  logUrl: string | undefined;
  /** Where what was deployed can be seen, as a step has said it. */
  environmentUrl?: string | undefined;
}

/** A `notify` entry of kind `dispatch`, rendered when it is sent. `run` is the run as it was at the change. */
export interface DispatchCallback {
  kind: 'dispatch';
  notify: number;
  run: Run;
}

/** A `notify` entry of kind `webhook`, rendered when it is sent. */
export interface WebhookCallback {
  kind: 'webhook';
  notify: number;
  run: Run;
}

/** A callback with every template rendered: what is really sent. Lives in memory only. */
export type Message =
  | StatusCallback
  | DeploymentCallback
  | (DeploymentStatusCallback & { deploymentId: number })
  | { kind: 'dispatch'; repository: string; eventType: string; payload: Record<string, Json> }
  | {
      kind: 'webhook';
      id: string;
      url: string;
      key: string | undefined;
      sentAt: number;
      body: Json;
    };
