import * as z from 'zod';
import type { Json } from '../../model/event.ts';
import { clientPayload, eventType } from '../schema-dispatch.ts';
import { optional, repositoryName } from '../schema-fields.ts';
import type { NotifyForm } from './contract.ts';

const schema = z
  .strictObject({
    repository: repositoryName.describe('The repository that hears of it: owner/name.'),
    'event-type': eventType.describe(
      'The event_type of the repository_dispatch. May hold ${{ … }}.',
    ),
    payload: optional(
      'The client_payload: at most ten keys, less than 64 KB. Strings in it may hold ${{ … }}.',
      clientPayload(10),
    ),
  })
  .transform(({ repository, 'event-type': type, payload = {} }) => ({
    kind: 'dispatch' as const,
    repository,
    eventType: type,
    payload: payload as Record<string, Json>,
  }));

/** A `repository_dispatch` event at another repository. */
export const dispatch = {
  schema: schema.describe('A repository_dispatch event at another repository.'),
  texts: { 'event-type': 'template', 'payload.**': 'template' },
  example: 'dispatch: { repository: acme/hub, event-type: deployed }',
} as const satisfies NotifyForm;
