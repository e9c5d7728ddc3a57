import * as z from 'zod';
import { eventOf, TRIED_EVENTS, type TryEvent } from '../../controller/operator/try-event.ts';
import type { Json } from '../../model/event.ts';
import type { Guard } from '../guard.ts';
import { reasonSchema } from './resources.ts';
import { operation, type Operation } from './route.ts';

const byRef = z.strictObject({
  event: z.enum(TRIED_EVENTS),
  ref: z
    .string()
    .min(1)
    .max(1000)
    .describe('A branch, a tag, or a whole ref; of a release the tag'),
  files: z.array(z.string().max(4096)).max(1000).default([]).describe('What a push changes'),
});
const byPayload = z.strictObject({
  event: z.string().max(100).describe('As `X-GitHub-Event` has it; `push@work` of another server'),
  payload: z.record(z.string(), z.unknown()),
});

/** What an event would start that has not come. */
export function tryOperations(deps: {
  guard: Pick<Guard, 'spec'>;
  tryEvent: TryEvent;
}): Operation[] {
  return [
    operation('post', '/specs/{name}/try', {
      asks: true,
      costly: true,
      name: 'trySpec',
      summary: 'What an event would start; nothing is stored, nothing runs, and git is not asked',
      body: z.union([byRef, byPayload]),
      answer: z.object({
        repository: z.string().nullable().describe('Whose event it is'),
        said: z.string().describe('What it is, or why it can start nothing'),
        specs: z.array(
          z.object({
            spec: z.string(),
            matched: z.boolean(),
            certain: z.boolean().describe('False where only git knows all changed files'),
            reasons: z.array(reasonSchema),
          }),
        ),
      }),
      async serve({ viewer, id, body }) {
        const { repository, on } = deps.guard.spec(viewer, id).spec;
        const tried =
          'ref' in body
            ? eventOf({ ...body, repository, workflow: on.workflowRun?.workflows[0] ?? 'CI' })
            : { name: body.event, payload: body.payload as Json };
        const trial = await deps.tryEvent(tried);
        return {
          repository: trial.repository,
          said: trial.said,
          specs: (viewer.canSee(trial.repository) ? trial.specs : []).map(
            ({ spec: name, verdict, certain }) => ({ spec: name, certain, ...verdict }),
          ),
        };
      },
    }),
  ];
}
