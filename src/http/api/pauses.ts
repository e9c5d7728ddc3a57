import * as z from 'zod';
import type { Paused, Pausing } from '../../controller/operator/pausing.ts';
import { isHeldBy, type PauseTarget } from '../../model/pause.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store } from '../../store/index.ts';
import type { Viewer } from '../auth/viewer.ts';
import { seenPauses } from '../read/held.ts';
import type { Guard } from '../guard.ts';
import { pauseSchema, runSchema } from './resources.ts';
import { listOf, operation, type Operation } from './route.ts';

const pauseQuery = z.object({
  reason: z.string().max(1000).default('').describe('Why, for people; GitHub shows it'),
});

/** `runs`: what waits because of it, or what waited and goes on. */
const pausedSchema = pauseSchema.extend({ runs: z.array(runSchema) });

/** Pausing and resuming specs and lanes. */
export function pauseOperations(deps: {
  store: Store;
  catalog: Pick<Catalog, 'current'>;
  pausing: Pausing;
  guard: Pick<Guard, 'allow'>;
}): Operation[] {
  const { pausing, guard } = deps;

  /** A viewer sees what keeps specs that they see from being deployed. */
  const isVisible = (viewer: Viewer) => {
    const specs = deps.catalog
      .current()
      .specs.map(({ spec }) => spec)
      .filter(({ repository }) => viewer.canSee(repository))
      .map(({ name, concurrency: { lane } }) => ({ spec: name, lane }));
    return (pause: PauseTarget) =>
      viewer.visible === undefined || specs.some((one) => isHeldBy(one, pause));
  };

  const toPaused = ({ pause, runs }: Paused) => ({ ...pause, runs });
  const pause = (kind: PauseTarget['kind'], path: string): Operation =>
    operation('post', path, {
      name: kind === 'spec' ? 'pauseSpec' : 'pauseLane',
      summary: `Keeps runs of a ${kind} from starting, until it is resumed`,
      query: pauseQuery,
      answer: pausedSchema,
      async serve({ viewer, id: name, query }) {
        const actor = await guard.allow(viewer, 'pause', { kind, name });
        return toPaused(await pausing.pause({ kind, name }, actor, query.reason));
      },
    });
  const resume = (kind: PauseTarget['kind'], path: string): Operation =>
    operation('post', path, {
      name: kind === 'spec' ? 'resumeSpec' : 'resumeLane',
      summary: `Lets runs of a paused ${kind} start again`,
      answer: pausedSchema,
      async serve({ viewer, id: name }) {
        const actor = await guard.allow(viewer, 'resume', { kind, name });
        return toPaused(await pausing.resume({ kind, name }, actor));
      },
    });

  return [
    operation('get', '/pauses', {
      name: 'listPauses',
      summary: 'Specs and lanes that are paused, oldest first, also those of specs that are gone',
      answer: listOf(pauseSchema),
      async serve({ viewer }) {
        const pauses = (await seenPauses(deps, viewer)).filter(isVisible(viewer));
        return { items: pauses, next: undefined };
      },
    }),
    pause('spec', '/specs/{name}/pause'),
    resume('spec', '/specs/{name}/resume'),
    pause('lane', '/lanes/{lane}/pause'),
    resume('lane', '/lanes/{lane}/resume'),
  ];
}
