import * as z from 'zod';
import { filled, optional, secretName } from '../schema-fields.ts';
import type { NotifyForm } from './contract.ts';

/** A message in a chat's channel, through the incoming webhook that the channel has. */
export const message = z.strictObject({
  secret: secretName.describe(
    'Name of the secret that holds the URL of the incoming webhook; must be in "secrets".',
  ),
  text: optional('What is said beside the facts. May hold ${{ … }}.', filled(1500)),
});

/** What holds for the texts of a message. */
export const texts = { secret: 'secret', text: 'template' } as const;

/** A chat that has incoming webhooks and nothing else. `what`: what editors say of it. */
export function chat<Kind extends string>(kind: Kind, what: string) {
  return {
    schema: message.transform(({ secret, text }) => ({ kind, secret, text })).describe(what),
    texts,
    example: `${kind}: { secret: ${kind.toUpperCase()}_URL }`,
  } satisfies NotifyForm;
}
