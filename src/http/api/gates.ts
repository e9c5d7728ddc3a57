import { z } from 'zod';
import type { Gates } from '../../controller/operator/gates.ts';
import { runSchema, toRun } from './resources.ts';
import { operation, type Operation } from './route.ts';

const reasonQuery = z.object({
  reason: z.string().max(1000).default('').describe('Why, for people; GitHub shows it'),
});

/** Answers to the gates that runs wait at. Those who may use the API count as administrators. */
export function gateOperations(gates: Gates): Operation[] {
  const answer = (name: 'approve' | 'reject' | 'override', summary: string): Operation =>
    operation({
      method: 'post',
      path: `/runs/{id}/${name}`,
      name: `${name}Run`,
      summary,
      query: reasonQuery,
      answer: runSchema,
      serve: async (ctx, { id, query }) =>
        toRun(await gates[name](id, { administrator: String(ctx.state['actor']) }, query.reason)),
    });

  return [
    answer('approve', 'Approves a run that waits for approval; counts once for each person'),
    answer('reject', 'Cancels a run that waits for approval'),
    answer('override', 'Opens the windows of a run, for a reason that is shown'),
  ];
}
