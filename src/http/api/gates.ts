import * as z from 'zod';
import type { Gates } from '../../controller/operator/gates.ts';
import { personFor } from '../auth/viewer.ts';
import type { Guard } from '../guard.ts';
import { runSchema } from './resources.ts';
import { operation, type Operation } from './route.ts';

const reasonQuery = z.object({
  reason: z.string().max(1000).default('').describe('Why, for people; GitHub shows it'),
});

/** Answers to the gates that runs wait at. Of people GitHub says who they are; the holder of the token counts as an administrator. */
export function gateOperations(gates: Gates, guard: Pick<Guard, 'allow'>): Operation[] {
  const answer = (name: 'approve' | 'reject' | 'override', summary: string): Operation =>
    operation('post', `/runs/{id}/${name}`, {
      name: `${name}Run`,
      summary,
      query: reasonQuery,
      answer: runSchema,
      async serve({ viewer, id, query }) {
        await guard.allow(viewer, name, { kind: 'run', name: id });
        return await gates[name](id, personFor(viewer, name), query.reason);
      },
    });

  return [
    answer('approve', 'Approves a run that waits for approval; counts once for each person'),
    answer('reject', 'Cancels a run that waits for approval'),
    answer('override', 'Opens the windows of a run, for a reason that is shown'),
  ];
}
