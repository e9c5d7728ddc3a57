import * as z from 'zod';
import type { Clock } from '../lib/clock.ts';
import { TerminalError } from '../lib/errors.ts';
import type { JenkinsStepSpec } from '../spec/steps/jenkins.ts';
import { renderTemplate } from '../spec/expressions.ts';
import { AskError, type Answer, type Ask } from './ask.ts';
import type { DoStep, StepContext, StepKind } from './contract.ts';
import { failedStep, succeeded } from './ending.ts';
import { askFor, runRemote, understand, type Look, type Remote, type Start } from './remote.ts';
import type { RemoteOutput } from './remote-output.ts';

const actions = z.array(
  z.object({ parameters: z.array(z.object({ name: z.string(), value: z.unknown() })).optional() }),
);
const queueItem = z.object({
  cancelled: z.boolean().optional(),
  executable: z.object({ number: z.number() }).nullish(),
});
const queue = z.object({ items: z.array(z.object({ id: z.number(), actions })) });
const definitions = z.array(z.object({ name: z.string() }));
const jobAnswer = z.object({
  allBuilds: z.array(z.object({ number: z.number(), timestamp: z.number(), actions })),
  property: z.array(z.object({ parameterDefinitions: definitions.optional() })).optional(),
});
const build = z.object({ building: z.boolean(), result: z.string().nullable() });

/** The parameter that a start is known by. */
const ID = 'MAINSHEET_ID';
const PARAMETERS = 'actions[parameters[name,value]]';
/** Of one answer. */
const PAGE_BUILDS = 100;
/** Builds that are looked through for one. */
const MOST_BUILDS = 1000;

/**
 * Starts a build of a Jenkins job with parameters, and waits for it: https://www.jenkins.io/doc/book/using/remote-access-api. A queue
 * item is forgotten five minutes after its build has begun, so the build is kept as soon as it is known.
 */
export function createJenkinsStep({
  ask,
  clock,
}: {
  ask: Ask;
  clock: Clock;
}): DoStep<JenkinsStepSpec> {
  return (context) =>
    runRemote({ clock }, context, (signal, output) => jenkins(ask, context, signal, output));
}

export const jenkinsStep = { create: createJenkinsStep } satisfies StepKind<
  JenkinsStepSpec,
  Parameters<typeof createJenkinsStep>[0]
>;

function jenkins(
  ask: Ask,
  { step, values, secrets, log }: StepContext<JenkinsStepSpec>,
  signal: AbortSignal,
  output: RemoteOutput,
): Remote {
  const job = `${step.server}/${step.job
    .split('/')
    .map((part) => `job/${encodeURIComponent(part)}`)
    .join('/')}`;
  const basic = Buffer.from((secrets[step.secret] ?? '').trim()).toString('base64');
  const headers = { authorization: `Basic ${basic}` };
  const get = (url: string, isGood?: (status: number) => boolean) =>
    askFor(ask, { url, method: 'GET', headers, signal }, isGood);
  const post = (url: string, body = '') =>
    askFor(
      ask,
      {
        url,
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
        body,
        signal,
      },
      // Jenkins leads people on to a page after what it has done.
      (status) => status >= 200 && status < 400,
    );

  async function find({ id, since }: Start): Promise<string | undefined> {
    const isOurs = ({ actions: told }: { actions: z.output<typeof actions> }) =>
      told.some(({ parameters = [] }) =>
        parameters.some(({ name, value }) => name === ID && value === id),
      );
    const waiting = understood(
      queue,
      await get(treeOf(`${step.server}/queue`, `items[id,${PARAMETERS}]`)),
    );
    const item = waiting.items.find(isOurs);
    if (item !== undefined) return `queue ${item.id}`;
    // The newest first.
    for (let from = 0; from < MOST_BUILDS; from += PAGE_BUILDS) {
      const range = `{${from},${from + PAGE_BUILDS}}`;
      const tree = `property[parameterDefinitions[name]],allBuilds[number,timestamp,${PARAMETERS}]${range}`;
      const { allBuilds, property = [] } = understood(jobAnswer, await get(treeOf(job, tree)));
      const found = allBuilds.find(isOurs);
      if (found !== undefined) return `build ${found.number}`;
      const isAll =
        allBuilds.length < PAGE_BUILDS || allBuilds.some(({ timestamp }) => timestamp < since);
      if (!isAll) continue;
      const declared = property.flatMap(({ parameterDefinitions: own = [] }) => own);
      if (declared.some(({ name }) => name === ID)) return undefined;
      throw unknownBuild(step.job, `declare the parameter ${ID} in it, and look there`);
    }
    throw unknownBuild(step.job, 'it has too many new ones to find it; look there');
  }

  function beginsAs(number: string | number): Look {
    log('stdout', `Jenkins build ${number}: ${job}/${number}/\n`);
    return `build ${number}`;
  }

  async function lookAtQueue(item: string, start: Start): Promise<Look> {
    const answer = await get(
      `${step.server}/queue/item/${item}/api/json`,
      (status) => status === 200 || status === 404,
    );
    if (answer.status === 404) {
      const found = await find(start);
      if (found?.startsWith('build ') === true) return beginsAs(found.slice('build '.length));
      const why = 'and no build has its parameter';
      throw new AskError(`Jenkins has forgotten the queue item ${item}, ${why} ${ID}`);
    }
    const { cancelled, executable } = understood(queueItem, answer);
    if (cancelled === true) return failedStep('it was taken out of the queue of Jenkins');
    return executable ? beginsAs(executable.number) : undefined;
  }

  async function showLog(number: string): Promise<void> {
    const { body, headers: told } = await get(
      `${job}/${number}/logText/progressiveText?start=${output.at()}`,
    );
    // Bytes.
    const size = Number(told['x-text-size'] ?? output.at());
    await output.show(typeof body === 'string' ? body : '', size);
  }

  return {
    async start(id) {
      const parameters = new URLSearchParams({ [ID]: id });
      for (const [name, value] of Object.entries(step.parameters)) {
        parameters.set(name, renderTemplate(value, values));
      }
      const answer = await post(`${job}/buildWithParameters`, parameters.toString());
      const item = /\/queue\/item\/(\d+)/.exec(answer.headers['location'] ?? '')?.[1];
      if (item === undefined)
        throw new AskError('Jenkins does not say where in its queue the build is');
      return `queue ${item}`;
    },

    find,

    async look(work, start) {
      const [kind, number = ''] = work.split(' ');
      if (kind === 'queue') return await lookAtQueue(number, start);
      const { building, result } = understood(
        build,
        await get(treeOf(`${job}/${number}`, 'building,result')),
      );
      await output.unlessUnreadable(`${job}/${number}/console`, () => showLog(number));
      if (building || result === null) return undefined;
      if (result === 'SUCCESS') return succeeded({ build: number });
      return failedStep(`Jenkins build ${number} is ${result}`);
    },

    async cancel(work) {
      const [kind, number = ''] = work.split(' ');
      await post(
        kind === 'queue' ? `${step.server}/queue/cancelItem?id=${number}` : `${job}/${number}/stop`,
      );
    },
  };
}

function understood<T>(schema: z.ZodType<T>, answer: Answer): T {
  return understand('Jenkins', schema, answer);
}

function treeOf(place: string, tree: string): string {
  return `${place}/api/json?${new URLSearchParams({ tree }).toString()}`;
}

function unknownBuild(job: string, hint: string): TerminalError {
  return new TerminalError('jenkins-unknown', `it is not known which build of ${job} was started`, {
    hint,
  });
}
