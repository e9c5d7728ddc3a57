import type { Verdict } from './verdict.ts';

/** `pending`: stored, not yet looked at · `processed`: matched (or not) and closed · `failed`: given up, with a reason. */
export type DeliveryState = 'pending' | 'processed' | 'failed';

/** Whether an id is of the form in which Mainsheet names what it tells itself of; GitHub's are UUIDs. */
export function isOwnId(id: string): boolean {
  return /^(?:reconcile-|deploy-|schedule:)/.test(id);
}

/** One webhook request that was verified and stored. */
export interface Delivery {
  /** `X-GitHub-Delivery`; the same for every redelivery of the same event. */
  id: string;
  /** `X-GitHub-Event`. */
  event: string;
  action: string | undefined;
  repository: string | undefined;
  state: DeliveryState;
  receivedAt: number;
  processedAt: number | undefined;
  /** How often the intake has tried to process it. */
  attempts: number;
  outcome: DeliveryOutcome | undefined;
  /** The delivery that brought the same body before. This one makes nothing new, and its payload is there. */
  copyOf: string | undefined;
}

/** What became of a delivery: the answer to "why did (not) this deploy?". */
export interface DeliveryOutcome {
  /** One sentence for people. */
  summary: string;
  /** Whether its payload cannot be read, which the log warns of. Left out: no. */
  isUnreadable?: true;
  /** One row for every spec of the delivery's repository. */
  specs: { spec: string; verdict: Verdict; run: string | undefined }[];
}
