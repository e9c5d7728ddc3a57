import * as z from 'zod';
import type { Clock } from '../lib/clock.ts';
import type { JenkinsStepSpec } from '../model/deployment-spec.ts';
import { renderTemplate } from '../spec/expressions.ts';
import { AskError, type Ask } from './ask.ts';
import type { StepContext, StepKind } from './contract.ts';
import { askFor, failedStep, runRemote, type Look, type Remote } from './remote.ts';
import type { RemoteOutput } from './remote-output.ts';

const actions = z.array(
  z.object({ parameters: z.array(z.object({ name: z.string(), value: z.unknown() })).optional() }),
);
const queueItem = z.object({
  cancelled: z.boolean().optional(),
  executable: z.object({ number: z.number() }).nullish(),
});
const queue = z.object({ items: z.array(z.object({ id: z.number(), actions })) });
const builds = z.object({ builds: z.array(z.object({ number: z.number(), actions })) });
const build = z.object({ building: z.boolean(), result: z.string().nullable() });

/** The parameter that a start is known by. */
const ID = 'MAINSHEET_ID';

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
}): StepKind<JenkinsStepSpec> {
  return (context) =>
    runRemote({ clock }, context, (signal, output) => jenkins(ask, context, signal, output));
}

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

  async function lookAtQueue(item: string): Promise<Look> {
    const answer = await get(
      `${step.server}/queue/item/${item}/api/json`,
      (status) => status === 200 || status === 404,
    );
    if (answer.status === 404) throw new AskError(`Jenkins has forgotten the queue item ${item}`);
    const { cancelled, executable } = queueItem.parse(answer.body);
    if (cancelled === true)
      return { state: 'over', result: failedStep('it was taken out of the queue of Jenkins') };
    if (!executable) return { state: 'going on' };
    log('stdout', `Jenkins build ${executable.number}: ${job}/${executable.number}/\n`);
    return { state: 'going on', work: `build ${executable.number}` };
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

    async find(id) {
      const isOurs = ({ actions: told }: { actions: z.output<typeof actions> }) =>
        told.some(({ parameters = [] }) =>
          parameters.some(({ name, value }) => name === ID && value === id),
        );
      const parameters = 'actions[parameters[name,value]]';
      const waiting = queue.parse(
        (await get(`${step.server}/queue/api/json?tree=items[id,${parameters}]`)).body,
      );
      const item = waiting.items.find(isOurs);
      if (item !== undefined) return `queue ${item.id}`;
      const begun = builds.parse(
        (await get(`${job}/api/json?tree=builds[number,${parameters}]`)).body,
      );
      const found = begun.builds.find(isOurs);
      return found === undefined ? undefined : `build ${found.number}`;
    },

    async look(work) {
      const [kind, number = ''] = work.split(' ');
      if (kind === 'queue') return await lookAtQueue(number);
      const { building, result } = build.parse(
        (await get(`${job}/${number}/api/json?tree=building,result`)).body,
      );
      await output.unlessTooLarge(`${job}/${number}/console`, () => showLog(number));
      if (building || result === null) return { state: 'going on' };
      if (result === 'SUCCESS') {
        return {
          state: 'over',
          result: { outcome: 'succeeded', exitCode: 0, outputs: { build: number } },
        };
      }
      return { state: 'over', result: failedStep(`Jenkins build ${number} is ${result}`) };
    },

    async cancel(work) {
      const [kind, number = ''] = work.split(' ');
      await post(
        kind === 'queue' ? `${step.server}/queue/cancelItem?id=${number}` : `${job}/${number}/stop`,
      );
    },
  };
}
