import * as z from 'zod';
import { problem } from './schema-fields.ts';

// What a repository_dispatch may hold: https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event

/** Fewer than 64 KB; what is sent is checked against the same figure. */
const PAYLOAD_BYTES = 64 * 1024 - 1;

export const eventType = z
  .string()
  .min(1, 'is empty')
  .max(100, 'more than 100 characters, which is all that GitHub accepts');

/** `most`: how many keys the spec may give, of the ten that GitHub takes. */
export function clientPayload(most: number) {
  return z.record(z.string(), z.json()).superRefine((payload, context) => {
    const keys = Object.keys(payload).length;
    if (keys > most) {
      problem(
        context,
        `a dispatch payload has at most ${most} keys, this one has ${keys}`,
        'that is GitHub’s limit; put some of them into a map under one key',
      );
    }
    const bytes = Buffer.byteLength(JSON.stringify(payload));
    if (bytes > PAYLOAD_BYTES) {
      problem(context, `a dispatch payload has less than 64 KB, this one has ${bytes} bytes`);
    }
  });
}
