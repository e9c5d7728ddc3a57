import * as z from 'zod';
import { filled, oneOrMore, optional, textUpTo, wait } from '../schema-fields.ts';
import type { NotifyForm } from './contract.ts';

/** One mailbox: nothing that a list, a comment or a header could begin with. */
const ADDRESS = /^[^\s@<>,;:"()[\]\\\p{Cc}]+@[^\s@<>,;:"()[\]\\\p{Cc}]+$/u;

const schema = z
  .strictObject({
    to: oneOrMore(textUpTo(254).regex(ADDRESS, 'is no e-mail address'), 50).describe(
      'Who gets it.',
    ),
    text: optional('What is said beside the facts. May hold ${{ … }}.', filled(10_000)),
    batch: optional(
      'Gathers what comes in this time into one mail, such as 15m. Default: each has its own.',
      wait,
    ),
  })
  .transform(({ to, text, batch = 0 }) => ({ kind: 'email' as const, to, text, batchMs: batch }));

/** A mail. `batchMs`: for how long changes are gathered into one; 0: each has its own. */
export const email = {
  schema: schema.describe('A mail, by the server of MAINSHEET_SMTP_URL.'),
  texts: { text: 'template' },
} as const satisfies NotifyForm;
