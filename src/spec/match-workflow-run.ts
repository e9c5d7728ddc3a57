import type { WorkflowRunTrigger } from '../model/deployment-spec.ts';
import { sameRepository, type WorkflowRunEvent } from '../model/event.ts';
import { allOf, failed, held, type Verdict } from '../model/verdict.ts';
import { compilePattern, type Matcher } from './filter-pattern.ts';
import { listed, matchesName } from './match-lists.ts';
import { isOfMergeQueue, MERGE_QUEUE, namesMergeQueue } from './merge-queue.ts';
import { oncePer } from '../lib/once-per.ts';

/**
 * Whether a workflow's run fires the trigger. Never when the commit came from a fork or the workflow ran for a pull
 * request: both are code that no person with write access has accepted, and a fork's branch can be called `main`. For a merge queue,
 * which may yet throw the commit away, only when the trigger's branches name the queue.
 *
 * https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#workflow_run
 */
export function matchesWorkflowRun(trigger: WorkflowRunTrigger, event: WorkflowRunEvent): Verdict {
  return allOf([
    fromThisRepository(event),
    ranForOwnCode(trigger, event),
    workflowMatches(trigger.workflows, event.workflow),
    branchMatches(trigger, event),
    isOneOf('on.workflow_run.types', trigger.types, event.action),
    conclusionMatches(trigger, event),
  ]);
}

function fromThisRepository(event: WorkflowRunEvent): Verdict {
  const condition = 'on.workflow_run.head_repository';
  if (event.headRepository === undefined) {
    return failed(
      condition,
      'the commit came from a repository that is gone, as deleted forks are',
    );
  }
  return sameRepository(event.headRepository, event.repository)
    ? held(condition, `the commit is from ${event.repository} itself`)
    : failed(condition, `the commit came from ${event.headRepository}, and forks never deploy`);
}

function ranForOwnCode(
  { branches }: WorkflowRunTrigger,
  { trigger, branch }: WorkflowRunEvent,
): Verdict {
  const condition = 'on.workflow_run.event';
  if (trigger.startsWith('pull_request')) {
    return failed(condition, `the workflow ran for ${trigger}, and pull requests never deploy`);
  }
  // A workflow that runs for every push runs for those of the queue, too.
  const ofQueue = trigger === 'merge_group' || isOfMergeQueue(branch);
  if (ofQueue && !namesMergeQueue(branches)) {
    return failed(
      condition,
      `the workflow ran for a merge queue, whose commits deploy only when "branches" names ${MERGE_QUEUE}**`,
    );
  }
  return held(condition, `the workflow ran for ${trigger}`);
}

/** Names count as they are written, too: `C++ build` is a good name for a workflow and not a filter pattern. */
function workflowMatches(workflows: readonly string[], name: string): Verdict {
  const condition = 'on.workflow_run.workflows';
  let matched = false;
  let by: string | undefined;
  const patterns = patternsOf(workflows);
  for (const [index, entry] of workflows.entries()) {
    const match = matchesEntry(entry, patterns[index], name);
    if (match === undefined) continue;
    matched = match;
    by = entry;
  }
  if (matched)
    return held(condition, by === name ? `the workflow is ${name}` : `${name} matches ${by}`);
  if (by !== undefined) return failed(condition, `${name} is taken out by ${by}`);
  return failed(condition, `${name} is none of ${listed(workflows)}`);
}

/** True: named; false: taken out; undefined: not meant. */
function matchesEntry(
  entry: string,
  pattern: Matcher | undefined,
  name: string,
): boolean | undefined {
  if (entry === name) return true;
  // Not a pattern, so only the name itself was meant.
  return pattern?.matches(name) === true ? !pattern.negated : undefined;
}

const patternsOf = oncePer((workflows: readonly string[]): readonly (Matcher | undefined)[] =>
  workflows.map((entry) => {
    try {
      return compilePattern(entry);
    } catch {
      return undefined;
    }
  }),
);

function branchMatches(trigger: WorkflowRunTrigger, event: WorkflowRunEvent): Verdict {
  const condition = 'on.workflow_run.branches';
  const lists = { condition, only: trigger.branches, ignore: trigger.branchesIgnore };
  if (event.branch !== undefined) {
    const verdict = matchesName(lists, event.branch);
    const restricts = trigger.branches.length > 0 || trigger.branchesIgnore.length > 0;
    const counts = restricts || event.headIs === 'neither';
    return counts && verdict.matched ? allOf([verdict, isOnBranch(event)]) : verdict;
  }
  if (trigger.branches.length > 0 || trigger.branchesIgnore.length > 0) {
    return failed(condition, 'the workflow did not run for a branch');
  }
  const verdict = held(condition, 'the spec does not restrict them');
  return event.headIs === 'neither' ? allOf([verdict, isOnBranch(event)]) : verdict;
}

/**
 * A person who may push tags could otherwise call one `main` and have a commit deployed that the branch never took; and GitHub
 * serves commits of forks and pull requests that no branch or tag has.
 */
function isOnBranch({ branch, headIs, sha }: WorkflowRunEvent): Verdict {
  const condition = 'on.workflow_run.head_sha';
  const commit = sha.slice(0, 7);
  if (headIs === 'tag') {
    return failed(condition, `the workflow ran for a tag ${branch}, and not for a branch`);
  }
  return headIs === 'neither'
    ? failed(
        condition,
        `commit ${commit} is not, or not any more, on ${branch === undefined ? 'any branch' : `a branch ${branch}`}`,
      )
    : held(condition, `commit ${commit} is on the branch ${branch}`);
}

function conclusionMatches(trigger: WorkflowRunTrigger, event: WorkflowRunEvent): Verdict {
  const condition = 'on.workflow_run.conclusions';
  if (event.action !== 'completed') {
    return held(condition, `a workflow that is ${event.action} has none yet`);
  }
  return isOneOf(condition, trigger.conclusions, event.conclusion ?? 'none');
}

function isOneOf(condition: string, wanted: readonly string[], value: string): Verdict {
  return wanted.includes(value)
    ? held(condition, `${value} is one of ${wanted.join(', ')}`)
    : failed(condition, `${value} is not one of ${wanted.join(', ')}`);
}
