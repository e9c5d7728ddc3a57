import type { Json, JsonObject } from '../json.ts';
import { unprocessable, type OperationHandler } from './operations.ts';

export interface Dispatches {
  handlers: Record<string, OperationHandler>;
  /** What a repository was sent, oldest first. */
  received: (repository: string) => JsonObject[];
}

/** Repository dispatches that are kept: https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event */
export function createDispatches(): Dispatches {
  const written: { repository: string; dispatch: JsonObject }[] = [];
  return {
    received: (repository) =>
      written.filter((each) => each.repository === repository).map((each) => each.dispatch),
    handlers: {
      'repos/create-dispatch-event'({ repository, body }) {
        const payload: Json = body['client_payload'] ?? {};
        if (Buffer.byteLength(JSON.stringify(payload)) >= 64 * 1024) {
          return unprocessable('client_payload is too large.');
        }
        const dispatch = {
          event_type: body['event_type'] ?? '',
          client_payload: payload,
          created_at: new Date().toISOString(),
        };
        written.push({ repository, dispatch });
        return { status: 204 };
      },
    },
  };
}
