import * as z from 'zod';
import type { BatchSpec } from '../model/deployment-spec.ts';
import { duration, optional, whole } from './schema-fields.ts';

const DAY = 24 * 60 * 60_000;

export const batch = z
  .strictObject({
    window: duration(1000, DAY, 'at least 1s and at most 24h').describe(
      'How long events are gathered, from the first one on.',
    ),
    max: optional(
      'With so many events the run does not wait any longer. Default: 100.',
      whole(2, 1000),
    ),
    key: optional(
      'A CEL expression over event, github, spec and inputs: events with the same value go together.',
      z.string(),
    ),
  })
  .transform((input): BatchSpec => ({
    windowMs: input.window,
    most: input.max ?? 100,
    key: input.key,
  }));

/** No event of a batch is lost to a newer one, so nothing may take its place. */
export function checkBatch(
  spec: {
    batch?: BatchSpec | undefined;
    concurrency?:
      string | { queue?: string | undefined; 'cancel-running'?: boolean | undefined } | undefined;
  },
  context: z.RefinementCtx,
): void {
  if (spec.batch === undefined || typeof spec.concurrency !== 'object') return;
  const refuse = (key: string, written: string) =>
    context.addIssue({
      code: 'custom',
      path: ['concurrency', key],
      message: `"${written}" would lose the events of a batch`,
      params: { hint: 'take it out: with "batch" every run has its turn' },
    });
  if (spec.concurrency.queue === 'newest') refuse('queue', 'newest');
  if (spec.concurrency['cancel-running'] === true) refuse('cancel-running', 'cancel-running');
}
