import * as z from 'zod';
import type { Gates } from '../../controller/operator/gates.ts';
import type { Clock } from '../../lib/clock.ts';
import { RUN_STATES, type Run } from '../../model/run.ts';
import { readOverview, type OverviewDeps, type Place, type Running } from '../read/overview.ts';
import {
  callbackSchema,
  gateSchema,
  pauseSchema,
  problemSchema,
  runSchema,
  toCallback,
  toGate,
} from './resources.ts';
import type { Told } from './tell.ts';
import { operation, type Operation } from './route.ts';

const time = z.iso.datetime();
const commit = {
  sha: z.string(),
  title: z.string().nullable().describe('The first line of its message, where it is known'),
  author: z.string().nullable(),
};

const placeSchema = z
  .object({
    spec: z.string(),
    repository: z.string(),
    environment: z.string(),
    lane: z.string(),
    removed: z.boolean().describe('No spec deploys there any more'),
    state: z
      .enum([...RUN_STATES, 'none'])
      .describe('What it is doing, else how its last run ended; `none` when it never ran'),
    paused: pauseSchema.nullable().describe('What keeps its runs from starting'),
    deployed: z
      .object({
        run: z.string(),
        ref: z.string(),
        ...commit,
        cause: runSchema.shape.cause.nullable(),
        deployedAt: time,
      })
      .nullable(),
    previews: z
      .int()
      .nullable()
      .describe('Of a spec that deploys pull requests, and nothing else: how many are up'),
    active: z
      .array(runSchema)
      .describe(
        'What waits or runs, the newest first, pull requests too: 50 in each state at most',
      ),
    moreActive: z.boolean().describe('More may wait or run than `active` has'),
    last: runSchema.nullable().describe('Its newest run that was not superseded'),
    usualMs: z.int().nullable().describe('How long its successful runs usually take'),
  })
  .meta({ id: 'Place' });

const runningSchema = z.object({
  run: z.string(),
  spec: z.string(),
  environment: z.string(),
  ...commit,
  startedAt: time.nullable(),
  elapsedMs: z.int(),
  usualMs: z.int().nullable(),
  step: z.object({ index: z.int(), name: z.string() }).nullable().describe('Null: the checkout'),
  steps: z.int(),
});

const overviewSchema = z
  .object({
    at: time.describe('When this was so, by the clock of the server'),
    places: z.array(placeSchema).describe('Each spec in its environment'),
    running: z.array(runningSchema),
    blocked: z.array(
      z.object({
        run: z.string(),
        spec: z.string(),
        environment: z.string(),
        sha: z.string(),
        reason: z.string(),
        gates: z.array(gateSchema).describe('Those that are closed'),
      }),
    ),
    pauses: z.array(pauseSchema),
    rolledBack: z.array(
      z.object({
        spec: z.string(),
        environment: z.string(),
        run: z.string(),
        sha: z.string(),
        by: z.string().nullable().describe('Null when it is not known any more'),
        reason: z.string().nullable(),
        at: time,
      }),
    ),
    dead: z.array(callbackSchema).describe('Callbacks that were given up, 100 at most'),
    problems: z.array(problemSchema).describe('What is wrong with the specs on disk'),
    stale: z.boolean().describe('The specs on disk are not those in use'),
  })
  .meta({ id: 'Overview' });

/** What the overview page shows, from the same reading. */
export function atAGlanceOperations(
  deps: OverviewDeps & { gates: Pick<Gates, 'view'>; clock: Pick<Clock, 'now'> },
): Operation[] {
  const blockedBy = async (run: Run) => ({
    run: run.id,
    spec: run.spec,
    environment: run.environment,
    sha: run.sha,
    reason: run.reason,
    gates: (await deps.gates.view(run)).filter(({ isOpen }) => !isOpen).map(toGate),
  });
  return [
    operation('get', '/overview', {
      name: 'getOverview',
      summary: 'What is deployed where, what moves, and what waits for a person',
      answer: overviewSchema,
      async serve({ viewer }) {
        const overview = await readOverview(deps, viewer);
        const now = deps.clock.now();
        return {
          ...overview,
          at: now,
          places: overview.places.map(toPlace),
          running: overview.running.map((one) => toRunning(one, now)),
          blocked: await Promise.all(overview.blocked.map(blockedBy)),
          rolledBack: overview.rolledBack.map(({ place, ...one }) => ({
            ...one,
            spec: place.spec,
            environment: place.environment,
            run: place.deployed?.run ?? '',
            sha: place.deployed?.sha ?? '',
          })),
          dead: overview.dead.map(toCallback),
        };
      },
    }),
  ];
}

function toPlace(place: Place): Told<typeof placeSchema> {
  const { deployed } = place;
  return {
    ...place,
    removed: place.isRemoved,
    paused: place.pause,
    deployed: deployed && {
      ...deployed,
      title: deployed.commit?.title,
      author: deployed.commit?.author,
    },
    moreActive: place.isMoreActive,
    last: place.recent.find(({ state }) => state !== 'superseded'),
  };
}

function toRunning(one: Running, now: number): Told<typeof runningSchema> {
  const { run, commit: told } = one;
  return {
    ...one,
    run: run.id,
    spec: run.spec,
    environment: run.environment,
    sha: run.sha,
    title: told?.title,
    author: told?.author,
    startedAt: run.startedAt,
    elapsedMs: Math.max(0, now - (run.startedAt ?? now)),
  };
}
