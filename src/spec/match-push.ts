import type { PushTrigger } from '../model/deployment-spec.ts';
import type { PushEvent } from '../model/event.ts';
import { allOf, failed, held, type Verdict } from '../model/verdict.ts';
import { listed, matchesName } from './match-lists.ts';
import { comparePathsNow, type PathAnswers, type PathList } from './match-paths.ts';
import { isOfMergeQueue, MERGE_QUEUE, namesMergeQueue } from './merge-queue.ts';

/**
 * Whether a push fires the trigger. `answers`: what the comparison of its files gave, when that was done for many specs at once.
 *
 * https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#onpushbranchestagsbranches-ignoretags-ignore
 */
export function matchesPush(
  trigger: PushTrigger,
  event: PushEvent,
  answers?: PathAnswers,
): Verdict {
  if (event.deleted)
    return failed('on.push', `${event.ref} was deleted: there is nothing to deploy`);
  if (event.sha === undefined) return failed('on.push', `${event.ref} points at no commit`);
  return allOf([pushRefMatches(trigger, event), pathsMatch(trigger, event, answers)]);
}

/** The part of the verdict that needs the ref alone. */
export function pushRefMatches(
  trigger: PushTrigger,
  event: Pick<PushEvent, 'ref' | 'branch' | 'tag'>,
): Verdict {
  const { branches, branchesIgnore, tags, tagsIgnore } = trigger;
  const restrictsBranches = branches.length > 0 || branchesIgnore.length > 0;
  const restrictsTags = tags.length > 0 || tagsIgnore.length > 0;
  if (event.branch !== undefined) {
    if (restrictsTags && !restrictsBranches) {
      return failed(
        'on.push.branches',
        `${event.branch} is a branch, and the spec names only tags`,
      );
    }
    // The queue may yet throw the commit away.
    if (isOfMergeQueue(event.branch) && !namesMergeQueue(branches)) {
      return failed(
        'on.push.branches',
        `${event.branch} is a merge queue's, which deploys only when "branches" names ${MERGE_QUEUE}**`,
      );
    }
    const lists = { condition: 'on.push.branches', only: branches, ignore: branchesIgnore };
    return matchesName(lists, event.branch);
  }
  if (event.tag !== undefined) {
    if (restrictsBranches && !restrictsTags) {
      return failed('on.push.tags', `${event.tag} is a tag, and the spec names only branches`);
    }
    return matchesName({ condition: 'on.push.tags', only: tags, ignore: tagsIgnore }, event.tag);
  }
  return failed('on.push', `${event.ref} is neither a branch nor a tag`);
}

/**
 * `paths`: at least one changed file must match. `paths-ignore`: at least one must not. So a push that changed no file
 * matches neither. GitHub does not look at them for tags.
 *
 * https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#onpushpull_requestpull_request_targetpathspaths-ignore
 */
function pathsMatch(trigger: PushTrigger, event: PushEvent, answers?: PathAnswers): Verdict {
  const list = pathListOf(trigger);
  if (list === undefined) return held('on.push.paths', 'the spec does not restrict them');
  const condition = pathConditionOf(list);
  if (event.tag !== undefined) return held(condition, 'paths are not looked at for tags');
  if (!event.changedPaths.complete) {
    // Deploying once too often does less harm than leaving a change out.
    return held(
      condition,
      `taken to match, because the changed files are not known: ${event.changedPaths.reason}`,
    );
  }
  return pathsVerdict(condition, list, event.changedPaths.paths, answers);
}

/** What the verdict calls the condition of such a list. */
export const pathConditionOf = ({ wanted }: PathList): string =>
  wanted === 'match' ? 'on.push.paths' : 'on.push.paths-ignore';

/** The list of a trigger that restricts files. */
export function pathListOf({ paths, pathsIgnore }: PushTrigger): PathList | undefined {
  if (paths.length > 0) return { patterns: paths, wanted: 'match' };
  return pathsIgnore.length > 0 ? { patterns: pathsIgnore, wanted: 'miss' } : undefined;
}

function pathsVerdict(
  condition: string,
  list: PathList,
  paths: readonly string[],
  answers = comparePathsNow([list], paths),
): Verdict {
  if (paths.length === 0) return failed(condition, 'the push changed no file');
  const answer = answers(list);
  const only = list.wanted === 'match';
  const patterns = listed(list.patterns);
  switch (answer.kind) {
    case 'found':
      return only
        ? held(condition, `${answer.path} matches ${answer.by}`)
        : held(condition, `${answer.path} is not ignored by ${patterns}`);
    case 'undecided':
      return held(
        condition,
        `too many files: counts as matching, because comparing all ${paths.length} would take too long`,
      );
    case 'none':
      return only
        ? failed(condition, `${files(paths)} matches ${patterns}`)
        : failed(condition, `all of the ${paths.length} changed files are ignored by ${patterns}`);
  }
}

function files(paths: readonly string[]): string {
  return paths.length === 1
    ? `the changed file ${paths[0]} does not`
    : `none of the ${paths.length} changed files`;
}
