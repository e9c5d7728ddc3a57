import { failed, held, type Verdict } from '../model/verdict.ts';
import { matchesList } from './filter-pattern.ts';

/** A list of filter patterns and its `-ignore` twin; at most one of them is filled. */
export interface FilterLists {
  /** Names the condition: `on.push.branches`. */
  condition: string;
  only: readonly string[];
  ignore: readonly string[];
}

/** Whether a name is in one list, or not in the other. Empty lists restrict nothing. */
export function matchesName(lists: FilterLists, name: string): Verdict {
  const { condition, only, ignore } = lists;
  if (only.length > 0) {
    const { matched, by } = matchesList(only, name);
    if (matched) return held(condition, `${name} matches ${by}`);
    if (by !== undefined) return failed(condition, `${name} is taken out by ${by}`);
    return failed(condition, `${name} matches none of ${listed(only)}`);
  }
  if (ignore.length > 0) {
    const { matched, by } = matchesList(ignore, name);
    return matched
      ? failed(`${condition}-ignore`, `${name} is ignored by ${by}`)
      : held(`${condition}-ignore`, `${name} is not ignored by ${listed(ignore)}`);
  }
  return held(condition, `${name}, and the spec does not restrict them`);
}

export function listed(patterns: readonly string[]): string {
  const shown = patterns.slice(0, 10).join(', ');
  return patterns.length > 10 ? `${shown} and ${patterns.length - 10} more` : shown;
}
