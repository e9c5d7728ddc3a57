import type { Permission } from '../github/check.ts';
import { elsewhere, ownerOf } from '../lib/names.ts';
import type { Callback } from '../model/callback.ts';
import { isProtection } from '../model/protection.ts';
import { FEEDBACK_KINDS, type FeedbackKind, type NotifySpec } from '../model/deployment-spec.ts';
import type { Run, Step } from '../model/run.ts';
import type { NewCallback } from '../store/outbox.ts';
import type { CallbackKind, Message, RunChange, ToldSpec } from './contract.ts';
import { bitbucketStatus } from './bitbucket-status.ts';
import { answer, type AnswerCallback } from './answer.ts';
import { check } from './check.ts';
import { cloudevents } from './cloudevents.ts';
import { deployment } from './deployment.ts';
import { deploymentStatus } from './deployment-status.ts';
import { discord } from './discord.ts';
import { dispatch } from './dispatch.ts';
import { planCheck } from './plan-check.ts';
import { planComment } from './plan-comment.ts';
import { previewComment } from './preview-comment.ts';
import { giteaStatus } from './gitea-status.ts';
import { gitlabStatus } from './gitlab-status.ts';
import { protection } from './protection.ts';
import { email } from './email.ts';
import { reply } from './reply.ts';
import { slackApp } from './slack-app.ts';
import { slackReply } from './slack-reply.ts';
import { slackThread } from './slack-thread.ts';
import { slack } from './slack.ts';
import { specCheck } from './spec-check.ts';
import { status } from './status.ts';
import { teams } from './teams.ts';
import { trace } from './trace.ts';
import { webhook } from './webhook.ts';

/** Every kind, in the order in which a change is told. */
const KINDS = [
  status,
  deployment,
  deploymentStatus,
  check,
  gitlabStatus,
  bitbucketStatus,
  giteaStatus,
  webhook,
  cloudevents,
  dispatch,
  slack,
  slackApp,
  slackThread,
  slackReply,
  discord,
  teams,
  email,
  reply,
  answer,
  planCheck,
  planComment,
  previewComment,
  specCheck,
  trace,
  protection,
] as const;

type Kind = (typeof KINDS)[number];

/** Every callback that there is, as it stands in the outbox. */
export type AnyCallback = Kind extends CallbackKind<infer Stored, infer _> ? Stored : never;

/** Every message that there is. */
export type AnyMessage = Kind extends CallbackKind<infer _, infer Rendered> ? Rendered : never;

/** The names of all kinds. */
export const CALLBACK_KINDS = KINDS.map(({ kind }) => kind);

type Known = CallbackKind & { kind: Kind['kind'] };

const BY_NAME: ReadonlyMap<string, Known> = new Map(
  KINDS.map((kind): [string, Known] => [kind.kind, kind]),
);

/** What is known of a callback or message. Throws for a kind that a newer version has put into the outbox. */
export function kindOf({ kind }: Pick<Callback | Message, 'kind'>): Known {
  const found = BY_NAME.get(kind);
  if (found === undefined) throw new TypeError(`this version knows no callback of kind ${kind}`);
  return found;
}

/**
 * What the world is to hear of a run's change of state, in the order in which it is to hear it. Nothing when the state is the
 * same as before.
 */
export function callbacksFor(change: RunChange): AnyCallback[] {
  if (change.run.state === change.previous) return [];
  // Of a job of Actions GitHub itself shows what becomes of it.
  if (isProtection(change.run)) return protection.due(change);
  // What a teardown does is nothing that its commit is judged by.
  const feedback = change.run.event === 'teardown' ? [] : change.spec.feedback;
  const here = elsewhere(change.run.repository) === undefined ? 'github' : change.server;
  return KINDS.flatMap((kind: CallbackKind): AnyCallback[] => {
    const isChosen = kind.chosenAs === undefined || feedback.includes(kind.chosenAs);
    const isHere = kind.at === undefined || kind.at === here;
    return isChosen && isHere ? (kind.due(change) as AnyCallback[]) : [];
  });
}

/** What the world is to hear of a step that has succeeded, while its run goes on. */
export function callbacksForStep(change: { run: Run; spec: ToldSpec; step: Step }): AnyCallback[] {
  if (isProtection(change.run)) return [];
  return KINDS.flatMap((kind: CallbackKind) => (kind.dueStep?.(change) ?? []) as AnyCallback[]);
}

/** A callback as it is put into the outbox. `notify`: of the spec of its run. */
export function toEntry(callback: Callback, notify: readonly NotifySpec[] = []): NewCallback {
  const kind = kindOf(callback);
  const payer = kind.payer(callback, notify);
  return {
    target: kind.target(callback),
    callback,
    importance: kind.importance(callback),
    account: payer && ownerOf(payer),
    delayMs: kind.delayMs?.(callback),
  };
}

/** A callback as people read it: of where a request's sender wants to be answered the host alone, as the rest may be that sender's secret. */
export function shownOf(callback: Callback): Callback {
  if (callback.kind !== answer.kind) return callback;
  const { to, ...rest } = callback as AnswerCallback;
  return { ...rest, to: { ...to, url: URL.parse(to.url)?.origin } } as Callback;
}

/** Whether `later`, waiting for the same target, says all that `callback` would have. */
export function isObsolete(callback: Callback, later: Callback): boolean {
  const kind = kindOf(callback);
  return (
    kind.isState === true &&
    callback.kind === later.kind &&
    kind.target(callback) === kind.target(later)
  );
}

/** The same state without what only decorates it. Undefined when nothing can be left out. */
export function withoutDecoration(message: Message): Message | undefined {
  const bare = kindOf(message).bare?.(message);
  return bare === undefined || JSON.stringify(bare) === JSON.stringify(message) ? undefined : bare;
}

/** What GitHub must allow for all that there is to tell. */
export const PERMISSIONS = [...permissionsFor(FEEDBACK_KINDS), ...reply.permissions];

/** What GitHub must allow when a spec takes commands in comments. */
export const COMMENT_PERMISSIONS = reply.permissions;

/** What GitHub must allow for plans on pull requests. */
export const PLAN_PERMISSIONS = [...planCheck.permissions, ...planComment.permissions];

/** What GitHub must allow when a spec deploys pull requests. */
export const PREVIEW_PERMISSIONS = previewComment.permissions;

/** What GitHub must allow when specs come from a repository. */
export const SPEC_PERMISSIONS = specCheck.permissions;

/** What GitHub must allow when specs say `feedback` in these words. */
export function permissionsFor(feedback: readonly FeedbackKind[]): Permission[] {
  return KINDS.flatMap(({ chosenAs, permissions }: CallbackKind) =>
    chosenAs !== undefined && feedback.includes(chosenAs) ? permissions : [],
  );
}
