import { isRepository } from '../../lib/names.ts';
import type { Json } from '../../model/event.ts';

/** Actions are GitHub's own words (`opened`, `review_request_removed`): nothing else belongs into a row's column. */
const ACTION = /^[a-z_-]{1,50}$/;

/**
 * The two fields by which people recognise a delivery in a list, for its row in the inbox. Looks at nothing else, so it costs
 * nothing beside parsing the JSON. Undefined where the payload has none, or one that GitHub could not have sent.
 */
export function describePayload(
  _name: string,
  payload: Json,
): { action: string | undefined; repository: string | undefined } {
  const action = field(payload, 'action');
  const repository = field(field(payload, 'repository'), 'full_name');
  return {
    action: typeof action === 'string' && ACTION.test(action) ? action : undefined,
    repository: isRepository(repository) ? repository : undefined,
  };
}

/** GitHub's number of the payload's repository, which stays when its name does not. */
export function repositoryIdOf(payload: Json): number | undefined {
  const id = field(field(payload, 'repository'), 'id');
  return typeof id === 'number' && Number.isSafeInteger(id) && id > 0 ? id : undefined;
}

function field(value: Json | undefined, key: string): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? value[key]
    : undefined;
}
