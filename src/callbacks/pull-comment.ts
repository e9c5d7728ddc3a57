import { RequestError } from '@octokit/request-error';
import type { Octokit } from '@octokit/rest';
import { findComment } from './comment-lookup.ts';
import type { Place } from './contract.ts';
import { madeId } from './fields.ts';

/** A comment of Mainsheet's that is changed when there is more to say. */
export interface PullComment {
  pull: number;
  /** A line of HTML's comments that it is known by. No other comment ends with it before ours does. */
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
  const known =
    commentId ?? (await findComment(octokit, place, pull, (other) => other.endsWith(mark)));
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
