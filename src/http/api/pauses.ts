import { z } from 'zod';
import type { Paused, Pausing } from '../../controller/operator/pausing.ts';
import type { PauseTarget } from '../../model/pause.ts';
import type { Store } from '../../store/index.ts';
import { pauseSchema, runSchema, toPause, toRun } from './resources.ts';
import { listOf, operation, type Operation } from './route.ts';

const pauseQuery = z.object({
  reason: z.string().max(1000).default('').describe('Why, for people; GitHub shows it'),
});

/** `runs`: what waits because of it, or what waited and goes on. */
const pausedSchema = pauseSchema.extend({ runs: z.array(runSchema) });

/** Pausing and resuming specs and lanes. */
export function pauseOperations(deps: { store: Store; pausing: Pausing }): Operation[] {
  const { store, pausing } = deps;

  const pause = (kind: PauseTarget['kind'], path: string): Operation =>
    operation({
      method: 'post',
      path,
      name: kind === 'spec' ? 'pauseSpec' : 'pauseLane',
      summary: `Keeps runs of a ${kind} from starting, until it is resumed`,
      query: pauseQuery,
      answer: pausedSchema,
      serve: async (ctx, { id: name, query }) =>
        toPaused(await pausing.pause({ kind, name }, String(ctx.state['actor']), query.reason)),
    });
  const resume = (kind: PauseTarget['kind'], path: string): Operation =>
    operation({
      method: 'post',
      path,
      name: kind === 'spec' ? 'resumeSpec' : 'resumeLane',
      summary: `Lets runs of a paused ${kind} start again`,
      answer: pausedSchema,
      serve: async (ctx, { id: name }) =>
        toPaused(await pausing.resume({ kind, name }, String(ctx.state['actor']))),
    });

  return [
    operation({
      method: 'get',
      path: '/pauses',
      name: 'listPauses',
      summary: 'Specs and lanes that are paused, oldest first, also those of specs that are gone',
      answer: listOf(pauseSchema),
      async serve() {
        return { items: (await store.pauses.list()).map(toPause), next: null };
      },
    }),
    pause('spec', '/specs/{name}/pause'),
    resume('spec', '/specs/{name}/resume'),
    pause('lane', '/lanes/{lane}/pause'),
    resume('lane', '/lanes/{lane}/resume'),
  ];
}

function toPaused({ pause, runs }: Paused): z.infer<typeof pausedSchema> {
  return { ...toPause(pause), runs: runs.map(toRun) };
}
