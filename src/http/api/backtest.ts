import { z } from 'zod';
import { isoTime, type Clock } from '../../lib/clock.ts';
import type { StepLimits } from '../../lib/step-limits.ts';
import type { Backtest, Difference } from '../../controller/operator/backtest.ts';
import { parseSpecs } from '../../spec/load.ts';
import { formatProblem } from '../../spec/problem.ts';
import { viewerOf } from '../auth/viewer.ts';
import { ProblemError } from '../problem.ts';
import { reasonSchema } from './resources.ts';
import { operation, type Operation } from './route.ts';

const DAY_MS = 24 * 60 * 60_000;
/** What takes longer is stopped. */
const LONGEST_MS = 60_000;

const differenceSchema = z.object({
  delivery: z.string(),
  event: z.string(),
  repository: z.string(),
  receivedAt: z.iso.datetime(),
  ref: z.string().nullable(),
  sha: z.string().nullable(),
  spec: z.string(),
  did: z.boolean().describe('Whether it was deployed then'),
  would: z.boolean().describe('Whether it would be deployed now'),
  run: z.string().nullable().describe('The run that was made then'),
  reasons: z.array(reasonSchema).describe('What the new specs say'),
  certain: z.boolean().describe('False where only git knows all changed files'),
});

/** What other specs would have made of the deliveries on disk. */
export function backtestOperations(deps: {
  backtest: Backtest;
  clock: Clock;
  stepLimits: StepLimits;
}): Operation[] {
  let isBusy = false;

  return [
    operation({
      method: 'post',
      path: '/backtest',
      name: 'backtest',
      summary: 'Judges the deliveries on disk by other specs; nothing is deployed',
      body: z.strictObject({
        specs: z
          .array(z.strictObject({ file: z.string().max(500), text: z.string() }))
          .max(2000)
          .describe('The whole new set: what is not in it would not be deployed'),
        days: z.int().min(1).max(365).default(30),
      }),
      answer: z.object({
        since: z.iso.datetime(),
        deliveries: z.int().describe('How many were looked at'),
        deployed: z.int().describe('Decisions to deploy then'),
        wouldDeploy: z.int().describe('Decisions to deploy now'),
        total: z.int().describe('Differences in all; the newest 500 are listed'),
        differences: z.array(differenceSchema),
      }),
      async serve(ctx, { body }) {
        const loaded = body.specs.map(({ file, text }) => parseSpecs(file, text, deps.stepLimits));
        const problems = loaded.flatMap((one) => one.problems);
        if (problems.length > 0) {
          const listed = problems.slice(0, 20).map(formatProblem).join('\n');
          throw new ProblemError(422, 'invalid-specs', listed, {
            hint: '"mainsheet validate" says the same without a server',
          });
        }
        if (isBusy) {
          throw new ProblemError(429, 'backtest-busy', 'another backtest is under way', {
            headers: { 'Retry-After': '10' },
          });
        }
        isBusy = true;
        try {
          const since = deps.clock.now() - body.days * DAY_MS;
          const specs = loaded.flatMap((one) => one.specs);
          const hooks = loaded.flatMap((one) => one.hooks);
          const result = await inTime(
            deps.backtest(specs, since, AbortSignal.timeout(LONGEST_MS), {
              hooks,
              visible: viewerOf(ctx).visible,
            }),
          );
          return {
            ...result,
            since: isoTime(since),
            differences: result.differences.map(toDifference),
          };
        } finally {
          isBusy = false;
        }
      },
    }),
  ];
}

async function inTime<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (cause) {
    if (!(cause instanceof DOMException)) throw cause;
    throw new ProblemError(503, 'backtest-too-long', `it took longer than ${LONGEST_MS / 1000} s`, {
      hint: 'ask for fewer days',
      cause,
    });
  }
}

function toDifference(difference: Difference): z.input<typeof differenceSchema> {
  return {
    ...difference,
    receivedAt: isoTime(difference.receivedAt),
    ref: difference.ref ?? null,
    sha: difference.sha ?? null,
    run: difference.run ?? null,
  };
}
