import type { Context } from 'koa';
import * as z from 'zod';
import type { Clock } from '../../lib/clock.ts';
import { createFairTurn } from '../../lib/fair-turn.ts';
import type { StepLimits } from '../../lib/step-limits.ts';
import { shareOf, type Looked } from '../../controller/operator/backtest.ts';
import type { Barrier } from '../../store/barrier.ts';
import { parseSpecs, type Loaded } from '../../spec/load.ts';
import { formatProblem } from '../../spec/problem.ts';
import type { RunBacktest } from '../read/backtest-turn.ts';
import { hungUp } from '../hung-up.ts';
import { ProblemError } from '../problem.ts';
import { eventStream, type EventStream } from './event-stream.ts';
import { reasonSchema } from './resources.ts';
import { tell, type Told } from './tell.ts';
import { operation, type Operation } from './route.ts';

/** Between two events `progress`. */
const TELL_EVERY_MS = 500;
const DAY_MS = 24 * 60 * 60_000;

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

const resultSchema = z.object({
  since: z.iso.datetime(),
  deliveries: z.int().describe('How many were looked at'),
  deployed: z.int().describe('Decisions to deploy then'),
  wouldDeploy: z.int().describe('Decisions to deploy now'),
  total: z.int().describe('Differences in all; the newest 500 are listed'),
  differences: z.array(differenceSchema),
});

/** What other specs would have made of the deliveries on disk. */
export function backtestOperations(deps: {
  runBacktest: RunBacktest;
  clock: Clock;
  stepLimits: StepLimits;
  flushed: Barrier;
}): Operation[] {
  return [
    operation('post', '/backtest', {
      asks: true,
      costly: true,
      name: 'backtest',
      summary:
        'Judges the deliveries on disk by other specs; nothing is deployed. As an event stream it tells how far it has come',
      body: z.strictObject({
        specs: z
          .array(z.strictObject({ file: z.string().max(500), text: z.string() }))
          .max(2000)
          .describe('The whole new set: what is not in it would not be deployed'),
        days: z.int().min(1).max(365).default(30),
        newest: z
          .int()
          .min(1)
          .max(10_000_000)
          .optional()
          .describe('So many of the newest deliveries at most, of all that came'),
        only: z
          .array(z.string().max(63))
          .max(2000)
          .optional()
          .describe('Names of the only specs to compare. Default: all, also those that are gone'),
      }),
      alsoAnswers: ['text/event-stream'],
      answer: resultSchema,
      async serve({ ctx, viewer, body }) {
        const loaded: Loaded[] = [];
        const fairTurn = createFairTurn();
        for (const { file, text } of body.specs) {
          loaded.push(parseSpecs(file, text, deps.stepLimits));
          await fairTurn();
        }
        const problems = loaded.flatMap((one) => one.problems);
        if (problems.length > 0) {
          const listed = problems.slice(0, 20).map(formatProblem).join('\n');
          throw new ProblemError(422, 'invalid-specs', listed, {
            hint: '"mainsheet validate" says the same without a server',
          });
        }
        const since = deps.clock.now() - body.days * DAY_MS;
        const specs = loaded.flatMap((one) => one.specs);
        const hooks = loaded.flatMap((one) => one.hooks);
        const { newest, only } = body;
        const run = async (gone: AbortSignal, progress?: (looked: Looked) => void) => {
          const more = {
            hooks,
            visible: viewer.visible,
            ...(newest === undefined ? {} : { newest }),
            ...(only === undefined ? {} : { only: new Set(only) }),
            ...(progress === undefined ? {} : { progress }),
          };
          return { ...(await deps.runBacktest(specs, since, more, gone)), since };
        };
        if (ctx.accepts('application/json', 'text/event-stream') !== 'text/event-stream') {
          return await run(hungUp(ctx));
        }
        await streamBacktest(ctx, deps, run);
        return undefined;
      },
    }),
  ];
}

/** Events `progress`, and at the end `result` or `problem`. What is refused at once is answered as any other request. */
async function streamBacktest(
  ctx: Context,
  { clock, flushed }: { clock: Clock; flushed: Barrier },
  run: (
    gone: AbortSignal,
    progress: (looked: Looked) => void,
  ) => Promise<Told<typeof resultSchema>>,
): Promise<void> {
  const { promise: hasBegun, resolve: begin } = Promise.withResolvers<void>();
  let stream: EventStream | undefined;
  let toldAt = -Infinity;
  /** Each event waits for the disk by itself: without this the end could come first. */
  let told = Promise.resolve();
  const gone = new AbortController();
  let newest: Looked | undefined;
  const tellHowFar = () => {
    if (stream === undefined || newest === undefined) return;
    if (clock.elapsed() - toldAt < TELL_EVERY_MS) return;
    toldAt = clock.elapsed();
    const { deliveries } = newest;
    const share = shareOf(newest, clock.now());
    told = stream.send('progress', { deliveries, share }).catch(stream.fail);
  };
  const running = run(gone.signal, (looked) => {
    newest = looked;
    begin();
    tellHowFar();
  });
  await Promise.race([running, hasBegun]);
  const to = (stream = eventStream(ctx, flushed));
  // What is quick may have come far already.
  tellHowFar();
  to.signal.addEventListener('abort', () => gone.abort(new Error('who asked has hung up')));
  running
    .then(
      (result) => told.then(() => to.send('result', tell(resultSchema, result))),
      (error: unknown) => told.then(() => to.send('problem', toProblem(error))),
    )
    .catch(to.fail)
    .finally(to.end);
}

function toProblem(error: unknown): { code: string; detail: string; hint?: string } {
  if (!(error instanceof ProblemError)) return { code: 'internal', detail: 'something went wrong' };
  const { code, message: detail, hint } = error;
  return { code, detail, ...(hint === undefined ? {} : { hint }) };
}
