import type { StepLimits } from '../lib/step-limits.ts';
import type { ChainTrigger } from './chain.ts';
import type { ApproveGate, Gate } from './gate.ts';
import type { PullTrigger } from './preview.ts';
import type { RunState } from './run.ts';
import type { ScheduleTrigger } from './schedule.ts';

/** One valid deployment spec: every default filled in, every duration in milliseconds. The YAML form is in `spec/schema`. */
export interface DeploymentSpec {
  name: string;
  /** `owner/name`. */
  repository: string;
  environment: string;
  /** Whether GitHub is to show the environment as one that its users see. */
  productionEnvironment: boolean;
  /** Whether the environment will be gone some day. */
  transientEnvironment: boolean;
  on: Triggers;
  /** A CEL expression that must be true. */
  if: string | undefined;
  concurrency: Concurrency;
  /** Left out: every event has a run of its own. */
  batch?: BatchSpec;
  /** What a run waits for before it starts; all of them. */
  gates: Gate[];
  /** Whether a rollback pauses its lane, so that the next commit does not undo it. */
  afterRollback: 'hold' | 'continue';
  /** Whether everyone may see how its last run is; left out: no. */
  badge?: boolean;
  /** Whether people with write permission may give commands in comments on pull requests. */
  comments: boolean;
  /** Whether pull requests of the repository say what merging them would deploy. */
  plan: boolean;
  /** What becomes of a run whose process died in the middle of a step: the step starts again, or the run fails. */
  onInterrupt: 'restart' | 'fail';
  timeoutMs: number;
  env: Record<string, string>;
  /** Names of the secrets that steps and templates may see. */
  secrets: string[];
  steps: StepSpec[];
  /** How the preview of a pull request is taken down. */
  teardown?: StepSpec[];
  /** Where GitHub shows what becomes of a run. */
  feedback: readonly FeedbackKind[];
  notify: NotifySpec[];
}

/** The words of `feedback`. */
export const FEEDBACK_KINDS = ['status', 'deployment', 'check'] as const;

export type FeedbackKind = (typeof FEEDBACK_KINDS)[number];

/** What is told when a spec does not say. */
export const DEFAULT_FEEDBACK: readonly FeedbackKind[] = ['status', 'deployment'];

export interface Triggers {
  push: PushTrigger | undefined;
  release: ReleaseTrigger | undefined;
  workflowRun: WorkflowRunTrigger | undefined;
  /** Left out: no hook starts it. */
  hooks?: HookTrigger[] | undefined;
  /** Left out: no time starts it. */
  schedules?: ScheduleTrigger[] | undefined;
  /** Left out: no run of another spec starts it. */
  deployments?: ChainTrigger[] | undefined;
  /** Left out: pull requests are not deployed. It stands alone. */
  pullRequest?: PullTrigger | undefined;
}

/** GitHub's filter patterns. An empty list restricts nothing; a list and its `Ignore` twin are never both filled. */
export interface PushTrigger {
  branches: string[];
  branchesIgnore: string[];
  tags: string[];
  tagsIgnore: string[];
  paths: string[];
  pathsIgnore: string[];
}

export interface ReleaseTrigger {
  /** Release actions; default `[published]`. */
  types: string[];
}

export interface WorkflowRunTrigger {
  /** Names (filter patterns) of workflows. */
  workflows: string[];
  branches: string[];
  branchesIgnore: string[];
  /** Default `[completed]`. */
  types: string[];
  /** Default `[success]`. */
  conclusions: string[];
}

export interface HookTrigger {
  /** The hook's id. */
  id: string;
  /** `deploy`: a run at `ref` · `rollback`: what was deployed before is deployed again. */
  do: 'deploy' | 'rollback';
  /** Of a rollback: a CEL expression over body, inputs and hook that says why. */
  reason: string | undefined;
  /** A CEL expression over body, inputs and hook that must be true. */
  if: string | undefined;
  /** The branch or tag that is deployed, as it is when the request is processed; undefined: the default branch. */
  ref: string | undefined;
}

export interface Concurrency {
  /** The queue that runs of this spec wait in; default `<name>-<environment>`. */
  lane: string;
  /** `newest`: a newer run supersedes the queued ones · `all`: every run gets its turn. */
  queue: 'newest' | 'all';
  /** Whether a newer run cancels the running one. */
  cancelRunning: boolean;
}

/** Which events of a spec have one run together. */
export interface BatchSpec {
  /** From the first event on, in milliseconds. */
  windowMs: number;
  /** With so many events the run does not wait any longer. */
  most: number;
  /** A CEL expression as `if` has it: events with the same text go together. Undefined: all do. */
  key: string | undefined;
}

/** What all steps have in common. What else is said of one is the business of its kind (`spec/steps`). */
export interface StepSpec {
  kind: string;
  name: string;
  /** Values may hold `${{ … }}`. */
  env: Record<string, string>;
  /** Undefined: only the run's own limit counts. */
  timeoutMs: number | undefined;
  retry: { attempts: number; backoffMs: number };
  /** What the spec asks for; the operator's bounds come on top. */
  limits?: StepLimits;
  /**
   * When people are asked in its middle to approve what it is about to do, and who they are, then and when what was done
   * is in doubt; left out: it asks no one.
   */
  approval?: { when: 'changes' | 'always' | 'never'; gate: ApproveGate };
}

/** What all entries of `notify` have in common. What else is said in one is the business of its kind (`spec/notify`). */
export interface NotifySpec {
  kind: string;
  on: RunState[];
}

/** A spec with where it came from. */
export interface LoadedSpec {
  spec: DeploymentSpec;
  /** Path below the deployments directory. */
  file: string;
  /** 1-based line at which its YAML document starts. */
  line: number;
  /** The YAML document, exactly as it was read: what a run's snapshot keeps. */
  text: string;
  /** SHA-256 of `text`, hex: the snapshot's identity. */
  digest: string;
}
