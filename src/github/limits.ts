/**
 * Characters of a status's description, of a commit
 * (https://docs.github.com/en/rest/commits/statuses#create-a-commit-status) as of a deployment
 * (https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status). GitHub answers 422 to more, as it does to
 * more than 1,000 statuses for one commit and context.
 */
export const MAX_DESCRIPTION = 140;

/** Characters of a status's context; GitHub answers 422 to more. */
export const MAX_CONTEXT = 255;

/**
 * https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event: characters of `event_type`, top-level
 * properties of `client_payload`, and bytes, which have to be fewer than 64 KB.
 */
export const DISPATCH_LIMITS = { eventType: 100, keys: 10, bytes: 64 * 1024 - 1 } as const;

/** The text, cut to `length` characters, the last of which is then "…". Never cuts a character in two. */
export function cutText(text: string, length: number): string {
  const characters = Array.from(text);
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}
