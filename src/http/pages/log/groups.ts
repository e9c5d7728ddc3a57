import { plainText } from './ansi.ts';

/** As GitHub Actions writes them: https://docs.github.com/actions/reference/workflow-commands-for-github-actions#grouping-log-lines */
const BEGIN = '::group::';
const END = '::endgroup::';
const LONGEST = 200;

/** So many characters of a line tell whether it begins or ends a group, and what that is called. */
export const GROUP_HEAD = BEGIN.length + 2 * LONGEST;

/** The name of the group that a line begins, `end` when it ends one, undefined for any other line. */
export function groupOf(line: string): { name: string } | 'end' | undefined {
  if (line.startsWith(END)) return 'end';
  if (!line.startsWith(BEGIN)) return undefined;
  const name = plainText(line.slice(BEGIN.length, GROUP_HEAD)).trim().slice(0, LONGEST);
  return { name: name === '' ? 'Group' : name };
}
