import * as z from 'zod';
import type { NotifySpec } from '../model/deployment-spec.ts';
import { RUN_STATES, type RunState } from '../model/run.ts';
import { keysOf, shapeOf, writtenOf } from './form.ts';
import type { NotifyForm } from './notify/contract.ts';
import { NOTIFY_FORMS } from './notify/index.ts';
import { oneOrMore, optional, problem } from './schema-fields.ts';

/** One written entry of `notify:`. */
export const notify = z
  .strictObject({
    on: optional(
      'Run states at which it is sent. Default: succeeded; all for a message that an app of Slack posts.',
      oneOrMore(z.enum(RUN_STATES), RUN_STATES.length),
    ),
    ...shapeOf(NOTIFY_FORMS),
  })
  .transform((input, context): NotifySpec => {
    const [key, ...more] = writtenOf(NOTIFY_FORMS, input);
    if (key === undefined || more.length > 0) {
      const known = keysOf(NOTIFY_FORMS);
      problem(context, `a notification is exactly one of ${known}`, 'make an entry for each');
      return z.NEVER;
    }
    const entry = input[key]!;
    const { followsRuns }: NotifyForm = NOTIFY_FORMS[key];
    const usual: RunState[] = entry.kind === followsRuns ? [...RUN_STATES] : ['succeeded'];
    return { ...entry, on: input.on ?? usual };
  });
