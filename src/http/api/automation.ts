import * as z from 'zod';
import type { Clock } from '../../lib/clock.ts';
import { CHAIN_STATES } from '../../model/chain.ts';
import { RUN_STATES } from '../../model/run.ts';
import { describeWaits } from '../../model/step-gate.ts';
import { readAutomation, type Automation } from '../read/automation.ts';
import type { OverviewDeps } from '../read/overview.ts';
import { previewSchema, toPreview } from './previews.ts';
import type { Told } from './tell.ts';
import { operation, type Operation } from './route.ts';

const time = z.iso.datetime().describe('ISO 8601, UTC');

const automationSchema = z
  .object({
    chains: z
      .array(
        z.object({
          specs: z.array(
            z.object({
              spec: z.string(),
              environment: z.string(),
              state: z.enum([...RUN_STATES, 'none']),
              sha: z.string().nullable().describe('What is live'),
            }),
          ),
          links: z.array(
            z.object({
              from: z.string(),
              to: z.string(),
              states: z.array(z.enum(CHAIN_STATES)),
              soakSeconds: z.number(),
              gates: z.array(z.string()).describe('What it waits for then, each in a line'),
            }),
          ),
        }),
      )
      .describe('Specs that start each other, in the order in which they do'),
    promotions: z
      .array(
        z.object({
          kind: z
            .enum(['soak', 'gate'])
            .describe('Whether a time has to pass, or its run waits at a gate'),
          from: z.string().nullable(),
          to: z.string(),
          sha: z.string(),
          run: z.string().describe('What is promoted, or waits'),
          at: time.nullable().describe('When it starts, where that is known'),
          reason: z.string(),
        }),
      )
      .describe('Specs that are to be started and are not yet'),
    batches: z
      .array(
        z.object({
          spec: z.string(),
          environment: z.string(),
          key: z.string().describe('What its events have in common; empty: the spec says nothing'),
          events: z.int(),
          most: z.int().nullable(),
          until: time,
          run: z.string(),
        }),
      )
      .describe('Runs that gather events'),
    schedules: z.array(
      z.object({
        spec: z.string(),
        environment: z.string(),
        cron: z.string(),
        timezone: z.string(),
        ref: z.string().nullable(),
        missed: z.enum(['once', 'skip']),
        next: z.array(time).describe('Its next times, three at most'),
        last: z.object({ due: time, run: z.string() }).nullable(),
        lastSkipped: time.nullable().describe('The newest time that passed and was left out'),
      }),
    ),
    previews: z.array(previewSchema),
  })
  .meta({ id: 'Automation' });

/** What the page of what starts by itself shows, from the same reading. */
export function automationOperations(
  deps: OverviewDeps & { clock: Pick<Clock, 'now'> },
): Operation[] {
  return [
    operation('get', '/automation', {
      name: 'getAutomation',
      summary: 'What starts by itself, and what waits before: chains, batches, schedules, previews',
      answer: automationSchema,
      serve: async ({ viewer }) => toAutomation(await readAutomation(deps, viewer)),
    }),
  ];
}

function toAutomation(view: Automation): Told<typeof automationSchema> {
  return {
    chains: view.chains.map(({ nodes, edges }) => ({
      specs: nodes.map(({ spec: { name, environment } }) => ({
        spec: name,
        environment,
        state: view.places.get(name)?.state ?? 'none',
        sha: view.places.get(name)?.deployed?.sha,
      })),
      links: edges.map(({ from, to, trigger }) => {
        const spec = nodes.find(({ spec: { name } }) => name === to)?.spec;
        return {
          from,
          to,
          states: trigger.states,
          soakSeconds: trigger.soakMs / 1000,
          gates: spec === undefined ? [] : describeWaits(spec),
        };
      }),
    })),
    promotions: view.promotions.map((one) => ({ ...one, run: one.run.id })),
    batches: view.batches.map((one) => ({
      ...one,
      environment: one.of.environment,
      until: one.closesAt,
    })),
    schedules: view.schedules.map(({ schedule, last, missed, ...one }) => ({
      ...one,
      ...schedule,
      timezone: schedule.timeZone,
      last: last && { due: last.due, run: last.run.id },
      lastSkipped: missed,
    })),
    previews: view.previews.map(toPreview),
  };
}
