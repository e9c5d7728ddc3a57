import type { PushTrigger } from '../model/deployment-spec.ts';
import type { ChangedPaths, PushEvent } from '../model/event.ts';
import { allOf, failed, held, type Verdict } from '../model/verdict.ts';
import { compileList } from './filter-pattern.ts';
import { listed, matchesName } from './match-lists.ts';

/**
 * Whether a push fires the trigger.
 *
 * https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#onpushbranchestagsbranches-ignoretags-ignore
 */
export function matchesPush(trigger: PushTrigger, event: PushEvent): Verdict {
  if (event.deleted)
    return failed('on.push', `${event.ref} was deleted: there is nothing to deploy`);
  if (event.sha === undefined) return failed('on.push', `${event.ref} points at no commit`);
  return allOf([pushRefMatches(trigger, event), pathsMatch(trigger, event)]);
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
function pathsMatch(trigger: PushTrigger, event: PushEvent): Verdict {
  const only = trigger.paths.length > 0;
  const condition =
    only || trigger.pathsIgnore.length === 0 ? 'on.push.paths' : 'on.push.paths-ignore';
  if (!only && trigger.pathsIgnore.length === 0) {
    return held(condition, 'the spec does not restrict them');
  }
  if (event.tag !== undefined) return held(condition, 'paths are not looked at for tags');
  if (!event.changedPaths.complete) {
    // Deploying once too often does less harm than leaving a change out.
    return held(
      condition,
      `taken to match, because the changed files are not known: ${event.changedPaths.reason}`,
    );
  }
  return only
    ? onlyPaths(condition, trigger.paths, event.changedPaths)
    : exceptPaths(condition, trigger.pathsIgnore, event.changedPaths);
}

type KnownPaths = Extract<ChangedPaths, { complete: true }>;

function onlyPaths(condition: string, patterns: readonly string[], changed: KnownPaths): Verdict {
  if (changed.paths.length === 0) return failed(condition, 'the push changed no file');
  const match = compileList(patterns);
  for (const path of changed.paths) {
    const { matched, by } = match(path);
    if (matched) return held(condition, `${path} matches ${by}`);
  }
  return failed(condition, `${files(changed)} matches ${listed(patterns)}`);
}

function exceptPaths(condition: string, patterns: readonly string[], changed: KnownPaths): Verdict {
  if (changed.paths.length === 0) return failed(condition, 'the push changed no file');
  const match = compileList(patterns);
  const counted = changed.paths.find((path) => !match(path).matched);
  return counted === undefined
    ? failed(
        condition,
        `all of the ${changed.paths.length} changed files are ignored by ${listed(patterns)}`,
      )
    : held(condition, `${counted} is not ignored by ${listed(patterns)}`);
}

function files(changed: KnownPaths): string {
  const { paths } = changed;
  return paths.length === 1
    ? `the changed file ${paths[0]} does not`
    : `none of the ${paths.length} changed files`;
}
