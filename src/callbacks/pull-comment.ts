import { RequestError } from '@octokit/request-error';
import type { Octokit } from '@octokit/rest';
import type { Place } from './contract.ts';
import { fieldOf, madeId } from './fields.ts';
import { findInPages } from './pages.ts';

/** The first comments of a pull request, or the first since a time. */
const MAX_PAGES = 5;

/** A comment of Mainsheet's that is changed when there is more to say. */
export interface PullComment {
  pull: number;
  /** A line of HTML's comments that it is known by. */
  mark: string;
  /** Markdown. */
  text: string;
  /** Its number, where that is known. */
  commentId: number | undefined;
}

/** Writes it, or changes it where it is. Answers its number. https://docs.github.com/en/rest/issues/comments#create-an-issue-comment */
export async function setPullComment(
  octokit: Octokit,
  place: Place,
  { pull, mark, text, commentId }: PullComment,
): Promise<number> {
  const body = `${text}\n\n${mark}`;
  const known = commentId ?? (await findComment(octokit, place, pull, endsWith(mark)));
  if (known !== undefined && (await change(octokit, place, known, body))) return known;
  const { status, data } = await octokit.request(
    'POST /repos/{owner}/{repo}/issues/{issue_number}/comments',
    { ...place, issue_number: pull, body },
  );
  return madeId(status, data);
}

/** False when it was deleted. */
async function change(
  octokit: Octokit,
  place: Place,
  comment: number,
  body: string,
): Promise<boolean> {
  try {
    await octokit.request('PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}', {
      ...place,
      comment_id: comment,
      body,
    });
    return true;
  } catch (error) {
    if (error instanceof RequestError && error.status === 404) return false;
    throw error;
  }
}

/** The number of the oldest comment for which `isIt`. `since`: in ISO 8601. */
export async function findComment(
  octokit: Octokit,
  place: Place,
  pull: number,
  isIt: (comment: unknown) => boolean,
  since?: string,
): Promise<number | undefined> {
  const of = { ...place, issue_number: pull, ...(since === undefined ? {} : { since }) };
  const found = await findInPages(
    MAX_PAGES,
    (at) =>
      octokit.request('GET /repos/{owner}/{repo}/issues/{issue_number}/comments', { ...of, ...at }),
    isIt,
  );
  return found === undefined ? undefined : Number(fieldOf(found, 'id'));
}

/** As what GitHub knows those who may write to a repository, or belong to its owner: https://docs.github.com/en/graphql/reference/enums#commentauthorassociation */
const TRUSTED: ReadonlySet<unknown> = new Set(['OWNER', 'MEMBER', 'COLLABORATOR']);

/** Whether the text of a comment ends with what it is known by, which strangers can foresee: theirs are not meant. */
export function endsWith(mark: string) {
  return (comment: unknown): boolean => {
    const text = fieldOf(comment, 'body');
    return typeof text === 'string' && text.endsWith(mark) && !isOfStranger(comment);
  };
}

function isOfStranger(comment: unknown): boolean {
  const isUser = fieldOf(fieldOf(comment, 'user'), 'type') === 'User';
  return isUser && !TRUSTED.has(fieldOf(comment, 'author_association'));
}
