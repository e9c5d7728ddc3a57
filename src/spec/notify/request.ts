import * as z from 'zod';
import { optional, secretName, webUrl } from '../schema-fields.ts';
import type { NotifyForm } from './contract.ts';

const written = z.strictObject({
  url: webUrl('keep the URL in a secret: url: "${{ secrets.NAME }}"').describe(
    'Where it is sent. May hold ${{ … }}, secrets too.',
  ),
  secret: optional(
    'Name of the secret that signs it (Standard Webhooks); must be in "secrets".',
    secretName,
  ),
});

/** A request to a URL of the spec's. `what`: what editors say of it. */
export function request<Kind extends string>(kind: Kind, what: string) {
  return {
    schema: written.transform(({ url, secret }) => ({ kind, url, secret })).describe(what),
    texts: { url: 'url', secret: 'secret' },
  } as const satisfies NotifyForm;
}
