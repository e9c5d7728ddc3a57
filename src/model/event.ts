import type { ChainState } from './chain.ts';
import type { PROTECTION } from './protection.ts';
import type { Verdict } from './verdict.ts';

/** A JSON value, as payloads, specs and API bodies hold them. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The meaning of one delivery, free of GitHub's wording, as `github/events` reads it. */
export type Event = (
  | PushEvent
  | ReleaseEvent
  | WorkflowRunEvent
  | HookEvent
  | ScheduleEvent
  | ChainEvent
  | PingEvent
  | CheckEvent
  | MessagePressEvent
  | CommentEvent
  | PullRequestEvent
  | TeardownEvent
  | ProtectionEvent
  | InstallationEvent
  | OtherEvent
) &
  Renamed;

/** Events that can start a run. */
export type DeployableEvent =
  | PushEvent
  | ReleaseEvent
  | WorkflowRunEvent
  | ProtectionEvent
  | ChainEvent
  | PullRequestEvent
  | TeardownEvent;

/** No event: an operator named a commit that a ref leads to. */
export interface ByHand {
  kind: 'deploy';
  repository: string;
  /** The whole ref. */
  ref: string;
}

export interface PushEvent {
  kind: 'push';
  /** `owner/name` as GitHub spells it. Compare with `sameRepository`. */
  repository: string;
  /** The whole ref: `refs/heads/main`, `refs/tags/v1`. */
  ref: string;
  /** Exactly one of `branch` and `tag` is set, for `refs/heads/` and `refs/tags/`; neither for any other ref. */
  branch: string | undefined;
  tag: string | undefined;
  /** The commit before the push; undefined when the ref was created by it. */
  before: string | undefined;
  /** The commit that the ref points at now (an annotated tag's commit, not the tag object); undefined when deleted. */
  sha: string | undefined;
  created: boolean;
  deleted: boolean;
  forced: boolean;
  changedPaths: ChangedPaths;
  /** Left out until `controller/resolve` asked git, which it does only for a push that a spec may deploy. */
  standing?: Standing;
}

/** What the server says of a commit and the ref that it was pushed to. */
export interface Standing {
  /** The commit that the ref is at now; undefined when there is no such ref. */
  head: string | undefined;
  /** Whether the branch is at the pushed commit or has it in its history, or the tag leads to it; undefined: git was refused. */
  reached: boolean | undefined;
}

/**
 * The files a push changed. A payload lists them for its own commits only, so whenever those are not the whole
 * difference (new ref, force, capped list) the list is incomplete and has to come from git.
 */
export type ChangedPaths =
  { complete: true; paths: string[] } | { complete: false; reason: string };

export interface ReleaseEvent {
  kind: 'release';
  repository: string;
  /** `published`, `released`, `created`, `edited`, `deleted`, `prereleased`, `unpublished`. */
  action: string;
  tag: string;
  draft: boolean;
  prerelease: boolean;
  /** The tag's commit, resolved through git (annotated tags too); undefined until `controller/intake` resolved it. */
  sha: string | undefined;
}

export interface WorkflowRunEvent {
  kind: 'workflow_run';
  repository: string;
  /** `completed`, `requested`, `in_progress`. */
  action: string;
  /** The workflow's name. */
  workflow: string;
  /** Set when `action` is `completed`: `success`, `failure`, `cancelled`, … */
  conclusion: string | undefined;
  branch: string | undefined;
  /**
   * What `branch` really names, for GitHub puts a tag's name there too: the branch, when it has the commit in its history;
   * else a tag that leads to the commit; or neither, when it was deleted or forced back since. Only git knows, so this is
   * left out until `controller/resolve` asked it.
   */
  headIs?: 'branch' | 'tag' | 'neither';
  sha: string;
  /** What started the workflow: `push`, `pull_request`, `schedule`, … */
  trigger: string;
  /** The repository the commit came from; another one than `repository` for forks, undefined when it was deleted. */
  headRepository: string | undefined;
}

/** A run of another spec has ended, and starts a spec at its revision. */
export interface ChainEvent {
  kind: 'deployment';
  repository: string;
  /** The spec that it may start. */
  starts: string;
  /** The run that has ended, and how. */
  after: { run: string; spec: string; state: ChainState };
  /** The whole ref, as that of the other run. */
  ref: string;
  branch: string | undefined;
  sha: string;
}

/** A request to a configured hook. It belongs to no repository: each spec that names the hook deploys from its own. */
export interface HookEvent {
  kind: 'hook';
  /** The hook's id. */
  hook: string;
  repository: undefined;
  /** What the hook itself says to the request: its own condition. */
  verdict: Verdict;
  /** The only specs that it may start. */
  scope?: readonly string[];
  revisions?: HeadRevisions;
}

/** A time that the schedule of a spec means. It belongs to no repository, as a request to a hook. */
export interface ScheduleEvent {
  kind: 'schedule';
  repository: undefined;
  /** The spec's name. */
  spec: string;
  cron: string;
  timeZone: string;
  /** The time that was meant, in milliseconds since the epoch. */
  due: number;
  revisions?: HeadRevisions;
}

/** Events that name no commit: each spec deploys what a ref of its own is at. */
export type HeadEvent = HookEvent | ScheduleEvent;

/** By spec: what it deploys. Left out until `controller/resolve` asked git, which it does only where the spec may run. */
export type HeadRevisions = ReadonlyMap<string, HeadRevision>;

/** Where a ref is; or why that is not known. */
export type HeadRevision = { ref: string; sha: string } | { problem: string };

/** A spec's own ref, at which an event found it that names no commit. */
export interface AtHead {
  kind: HeadEvent['kind'];
  repository: string;
  /** The whole ref. */
  ref: string;
}

/** What the buttons of check runs and messages ask for. */
export const PRESSES = ['retry', 'rollback', 'cancel', 'approve', 'reject'] as const;

export type Press = (typeof PRESSES)[number];

/** A job of GitHub Actions waits at an environment until it is said that it may deploy. */
export interface ProtectionEvent {
  kind: typeof PROTECTION;
  repository: string;
  environment: string;
  sha: string;
  /** What started the workflow: `push`, `pull_request`, … */
  trigger: string;
  /** A branch, a tag or a commit, as Actions names it. */
  ref: string;
  /** GitHub's number of the workflow run. */
  workflowRun: number;
  /** The API that waits for the answer, as the payload says. */
  apiUrl: string;
}

/** A person pressed a button of a check run, or GitHub's own "Re-run"; or answered whether a job of Actions may deploy. */
export interface CheckEvent {
  kind: 'check';
  repository: string;
  press: Press;
  /** The login of the person. What they may do is asked of GitHub. */
  by: string;
  commit: string;
  /** GitHub's number of the check run, and the run that it is said to be of; undefined: all check runs of the commit. */
  checkRun: { id: number; run: string } | undefined;
  /** The workflow run that was answered, and the environments that it may or may not deploy to. */
  review?: { workflowRun: number; environments: readonly string[]; comment: string };
}

/** A person pressed a button of a run's message in a chat. What is said of the run and the message is to be compared with what is known. */
export interface MessagePressEvent {
  kind: 'message-press';
  repository?: undefined;
  press: Press;
  /** The hook that was told. */
  hook: string;
  /** The chat's id of the person. */
  user: string;
  /** The person's login at GitHub; or why that is not known. */
  by: { login: string } | { unknown: string };
  /** The run and the entry of its `notify` of which the message is said to be. */
  of: { run: string; notify: number };
  channel: string;
  /** The message's timestamp, which is its id in the channel. */
  message: string;
}

/** What comments may command. */
export const COMMANDS = ['deploy', 'rollback', 'retry', 'approve', 'explain'] as const;

/** What a person has written into a comment. `target`: an environment or a spec. */
export interface CommentCommand {
  name: (typeof COMMANDS)[number];
  target: string | undefined;
  /** At least 7 digits of a commit. */
  revision: string | undefined;
  reason: string | undefined;
}

/** A person wrote a command into a comment on a pull request or a commit. */
export interface CommentEvent {
  kind: 'comment';
  repository: string;
  /** The login of the person. What they may do is asked of GitHub. */
  by: string;
  /** GitHub's number of the comment. */
  comment: number;
  /** When it was written, by GitHub's clock, in milliseconds since the epoch; Infinity where that is not said. */
  writtenAt: number;
  /** Where it stands: a pull request's number, or a commit. */
  on: { pull: number } | { commit: string };
  /** The command was not there when the comment was written. Such a one is never obeyed. */
  isEdited: boolean;
  command: CommentCommand;
}

/** A pull request as an event has told of it last. */
export interface PullRequestEvent {
  kind: 'pull_request';
  repository: string;
  number: number;
  /** Whether it is open and no draft. */
  isReady: boolean;
  /** Whether it is merged, or was given up. */
  isClosed: boolean;
  /** Whether it was closed, and is open again with this. */
  isReopened?: boolean;
  /** The branch that it is to be merged into. */
  base: string;
  /** The newest commit of its branch, which may be a fork's. */
  head: string;
  headBranch: string;
  /** Where its branch is; another repository than `repository` for forks, undefined when it was deleted. */
  headRepository: string | undefined;
  /** One line; what people wrote. */
  title: string;
  defaultBranch: string | undefined;
  /** When it last changed, by GitHub's clock, in milliseconds since the epoch. */
  changedAt: number;
  /** Why nothing is said on it of what merging it would deploy. */
  noPlan?: string;
}

/** The preview of a pull request is to be taken down. */
export interface TeardownEvent {
  kind: 'teardown';
  repository: string;
  /** The spec that has deployed it. */
  spec: string;
  number: number;
  reason: string;
  sha: string;
  fork: boolean;
}

/** What became of an installation of the App, and of the repositories in it. */
export type InstallationEvent = {
  kind: 'installation';
  /** GitHub's number of it. */
  installation: number;
  repository?: undefined;
} & (
  | { change: 'added' | 'removed'; repositories: string[] }
  | { change: 'deleted' | 'suspended' | 'unsuspended' }
  /** The account is called `owner` now. */
  | { change: 'renamed'; owner: string }
);

export interface PingEvent {
  kind: 'ping';
  repository: string | undefined;
}

/** Anything else: recorded, never deployed, with the reason why. */
export interface OtherEvent {
  kind: 'other';
  name: string;
  action: string | undefined;
  repository: string | undefined;
  reason: string;
  /** Whether its payload is not as the sender's events are. Left out: no. */
  isUnreadable?: true;
}

/** What an event's repository was called before, when it was renamed: specs may name it so still. */
export interface Renamed {
  formerly?: readonly string[];
}

/** Whether an event is from the repository that a spec calls `repository`. */
export function isFrom(
  event: { repository?: string | undefined } & Renamed,
  repository: string,
): boolean {
  const names = [event.repository ?? [], event.formerly ?? []].flat();
  return names.some((name) => sameRepository(name, repository));
}

/** GitHub's repository names differ only in more than case. */
export function sameRepository(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
