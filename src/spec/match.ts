import { describeError, hintOf } from '../lib/errors.ts';
import type { DeploymentSpec } from '../model/deployment-spec.ts';
import {
  isFrom,
  sameRepository,
  type Event,
  type HeadEvent,
  type Json,
  type ProtectionEvent,
  type ReleaseEvent,
} from '../model/event.ts';
import { PROTECTION } from '../model/protection.ts';
import { describeGate } from '../model/gate.ts';
import { inputsOf } from '../model/hook.ts';
import { allOf, failed, held, type Verdict } from '../model/verdict.ts';
import { matchesBatch } from './batch-key.ts';
import { githubFieldsIn } from './expression-checks.ts';
import { evaluateCondition } from './expressions.ts';
import { githubContext, subjectOf, type GithubContext } from './github-context.ts';
import type { PathAnswers } from './match-paths.ts';
import { matchesChain } from './match-chain.ts';
import { matchesHead } from './match-head.ts';
import { rollsBack } from './match-hook.ts';
import { matchesPull, matchesTeardown } from './match-pull.ts';
import { matchesPush, pushRefMatches } from './match-push.ts';
import { matchesWorkflowRun } from './match-workflow-run.ts';

/**
 * Whether an event deploys a spec, with the reason for every condition that was looked at. `payload` is the event as
 * GitHub sent it: what `if` calls `event`; `answers` is for `matchesPush`. Pure, and never throws: an `if` that cannot be evaluated does not hold.
 */
export function matchSpec(
  spec: DeploymentSpec,
  event: Event,
  payload: unknown,
  answers?: PathAnswers,
): Verdict {
  if (event.kind === 'hook' || event.kind === 'schedule') {
    return matchesHeadEvent(spec, event, payload);
  }
  if (event.kind === 'deployment') {
    const trigger = matchesChain(spec, event);
    return trigger.matched ? allOf([trigger, matchesCondition(spec, event, payload)]) : trigger;
  }
  if (event.kind === 'teardown') return matchesTeardown(spec, event);
  const repository = matchesRepository(spec, event);
  if (!repository.matched) return repository;
  // Actions has decided what is deployed: only the gates are asked.
  if (event.kind === PROTECTION) return allOf([repository, guards(spec, event)]);
  const trigger = matchesTrigger(spec, event, answers);
  // Without a trigger for this kind of event the payload is not the one that `if` was written for.
  if (trigger === undefined) return allOf([repository, noTrigger(spec, event)]);
  if (event.kind === 'push' && (event.deleted || event.sha === undefined)) {
    return allOf([repository, trigger]);
  }
  return allOf([
    repository,
    trigger,
    matchesCondition(spec, event, payload),
    matchesBatch(spec, event, payload),
  ]);
}

/**
 * Whether matching these specs needs a push's whole list of changed files and the event does not have it: the intake
 * then asks git first.
 */
export function needsChangedPaths(specs: readonly DeploymentSpec[], event: Event): boolean {
  if (event.kind !== 'push' || event.changedPaths.complete) return false;
  if (event.branch === undefined || event.deleted || event.sha === undefined) return false;
  return specs.some((spec) => {
    const trigger = spec.on.push;
    if (trigger === undefined || !isFrom(event, spec.repository)) return false;
    if (trigger.paths.length === 0 && trigger.pathsIgnore.length === 0) return false;
    return pushRefMatches(trigger, event).matched;
  });
}

/** Of a request to a hook, or a time: the trigger, and the spec's condition over what is stored of it. */
function matchesHeadEvent(spec: DeploymentSpec, event: HeadEvent, payload: unknown): Verdict {
  const trigger = matchesHead(spec, event, payload);
  // What the spec asks of a revision that it is to deploy, a rollback does not bring.
  if (!trigger.matched || rollsBack(spec, event)) return trigger;
  return allOf([
    trigger,
    matchesCondition(spec, event, payload),
    matchesBatch(spec, event, payload),
  ]);
}

function matchesRepository(spec: DeploymentSpec, event: Event): Verdict {
  if (event.repository === undefined) {
    return failed(
      'repository',
      `the event belongs to no repository; the spec is for ${spec.repository}`,
    );
  }
  if (sameRepository(spec.repository, event.repository)) {
    return held('repository', `the event is from ${event.repository}`);
  }
  return isFrom(event, spec.repository)
    ? held(
        'repository',
        `the event is from ${event.repository}, which is the spec's ${spec.repository} renamed: name it so in the spec`,
      )
    : failed(
        'repository',
        `the event is from ${event.repository}, the spec is for ${spec.repository}`,
      );
}

/** Whether the gates of the spec are those of the environment that a job of Actions waits at. GitHub's names of environments have no case. */
function guards({ environment, gates }: DeploymentSpec, event: ProtectionEvent): Verdict {
  const isItsOwn = environment.toLowerCase() === event.environment.toLowerCase();
  // Its code is not accepted yet, and may be a stranger's.
  const isOfPullRequest = event.trigger.startsWith('pull_request');
  const where = `the job waits at ${event.environment}`;
  return allOf([
    isItsOwn
      ? held('environment', where)
      : failed('environment', `${where}, the spec deploys to ${environment}`),
    gates.length > 0
      ? held('gates', `the job waits for ${gates.map(describeGate).join('; ')}`)
      : failed('gates', 'the spec has no gates, and so it answers for no job of Actions'),
    isOfPullRequest && !gates.some(({ kind }) => kind === 'approve')
      ? failed('gates', `the job runs for ${event.trigger}, and no gate asks a person`)
      : held('gates', `the job runs for ${event.trigger}`),
  ]);
}

/** Undefined when the spec has no trigger for this kind of event. */
function matchesTrigger(
  spec: DeploymentSpec,
  event: Event,
  answers: PathAnswers | undefined,
): Verdict | undefined {
  const { push, release, workflowRun, pullRequest } = spec.on;
  if (event.kind === 'pull_request') return pullRequest && matchesPull(spec, pullRequest, event);
  if (event.kind === 'push') return push && matchesPush(push, event, answers);
  if (event.kind === 'release') return release && matchesRelease(release.types, event);
  if (event.kind === 'workflow_run') return workflowRun && matchesWorkflowRun(workflowRun, event);
  return undefined;
}

function noTrigger(spec: DeploymentSpec, event: Event): Verdict {
  if (event.kind === 'other') return failed('on', event.reason);
  const { push, release, workflowRun } = spec.on;
  const names = [
    push && 'push',
    release && 'release',
    workflowRun && 'workflow_run',
    spec.on.hooks && 'hook',
    spec.on.schedules && 'schedule',
    spec.on.deployments && 'deployment',
    spec.on.pullRequest && 'pull_request',
  ];
  return failed(
    'on',
    `the event is a ${event.kind}; the spec is started by ${names.filter(Boolean).join(', ')}`,
  );
}

/** https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#release */
function matchesRelease(types: readonly string[], event: ReleaseEvent): Verdict {
  const wanted = types.join(', ');
  return allOf([
    types.includes(event.action)
      ? held('on.release.types', `${event.action} is one of ${wanted}`)
      : failed('on.release.types', `${event.action} is not one of ${wanted}`),
    event.draft
      ? failed('on.release', `the release of ${event.tag} is a draft, and drafts never deploy`)
      : held('on.release', `the release of ${event.tag} is not a draft`),
  ]);
}

function matchesCondition(spec: DeploymentSpec, event: Event, payload: unknown): Verdict {
  if (spec.if === undefined) return held('if', 'the spec has no condition');
  try {
    const subject = subjectOf(event, spec);
    const github = subject && githubContext(subject, payload);
    const holds = evaluateCondition(spec.if, {
      event: payload,
      github,
      spec,
      inputs: event.kind === 'hook' ? inputsOf(payload as Json) : {},
    });
    const values = github === undefined ? '' : valuesIn(spec.if, github);
    return holds
      ? held('if', `${spec.if} is true${values}`)
      : failed('if', `${spec.if} is false${values}`);
  } catch (error) {
    const hint = hintOf(error);
    const todo = hint === undefined ? '' : ` (${hint})`;
    return failed('if', `${spec.if} could not be decided: ${describeError(error)}${todo}`);
  }
}

/** What the condition's fields of `github` are, so that it can be seen why it has this end. */
function valuesIn(condition: string, github: GithubContext): string {
  if (!condition.includes('github')) return '';
  const values = githubFieldsIn(condition)
    .filter((field) => field !== 'event')
    .map((field) => `github.${field} is ${github[field] ?? 'not known'}`);
  return values.length === 0 ? '' : `: ${values.join(', ')}`;
}
