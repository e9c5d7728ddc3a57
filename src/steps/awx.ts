import * as z from 'zod';
import type { Clock } from '../lib/clock.ts';
import type { AwxStepSpec } from '../model/deployment-spec.ts';
import { renderJson } from '../spec/expressions.ts';
import { TooLargeError, type Ask } from './ask.ts';
import type { StepContext, StepKind } from './contract.ts';
import { askFor, failedStep, runRemote, type Remote } from './remote.ts';
import type { RemoteOutput } from './remote-output.ts';

const launched = z.object({ job: z.number() });
const jobs = z.object({ results: z.array(z.object({ id: z.number() })) });
const job = z.object({ status: z.string(), job_explanation: z.string().optional() });
const stdout = z.object({ range: z.object({ absolute_end: z.number() }), content: z.string() });

/** Launches a job template of AWX or Ansible Automation Platform, and waits for its job: https://docs.ansible.com/automation-controller/latest/html/controllerapi/api_ref.html */
export function createAwxStep({ ask, clock }: { ask: Ask; clock: Clock }): StepKind<AwxStepSpec> {
  return (context) =>
    runRemote({ clock }, context, (signal, output) => awx(ask, context, signal, output));
}

function awx(
  ask: Ask,
  { step, values, secrets, log }: StepContext<AwxStepSpec>,
  signal: AbortSignal,
  output: RemoteOutput,
): Remote {
  const api = `${step.server}/api/v2`;
  const headers = {
    authorization: `Bearer ${(secrets[step.secret] ?? '').trim()}`,
    'content-type': 'application/json',
  };
  const get = async (path: string) =>
    askFor(ask, { url: api + path, method: 'GET', headers, signal });
  const pageOf = (id: string) => `${step.server}/#/jobs/playbook/${id}`;

  async function showOutput(id: string): Promise<void> {
    const from = output.at();
    const { body } = await get(
      `/jobs/${id}/stdout/?format=json&content_format=ansi&start_line=${from}`,
    );
    const { content, range } = stdout.parse(body);
    // Of more than it gives at once AWX says only that, in a line.
    if (range.absolute_end < from) throw new TooLargeError('AWX has more output than it gives');
    const lines = content === '' || content.endsWith('\n') ? content : `${content}\n`;
    await output.show(lines, range.absolute_end);
  }

  return {
    async start(id) {
      const extra = renderJson(step.extraVars, values) as object;
      const body = JSON.stringify({ extra_vars: { ...extra, mainsheet_id: id } });
      const url = `${api}/job_templates/${step.template}/launch/`;
      const answer = await askFor(ask, { url, method: 'POST', headers, body, signal });
      const { job: number } = launched.parse(answer.body);
      log('stdout', `AWX job ${number}: ${pageOf(String(number))}\n`);
      return String(number);
    },

    async find(id) {
      const query = `job_template=${step.template}&extra_vars__contains=${id}&order_by=-id&page_size=1`;
      const { results } = jobs.parse((await get(`/jobs/?${query}`)).body);
      return results[0] === undefined ? undefined : String(results[0].id);
    },

    async look(id) {
      const found = job.parse((await get(`/jobs/${id}/`)).body);
      await output.unlessTooLarge(pageOf(id), () => showOutput(id));
      switch (found.status) {
        case 'successful':
          return {
            state: 'over',
            result: { outcome: 'succeeded', exitCode: 0, outputs: { job: id } },
          };
        case 'failed':
        case 'error':
        case 'canceled': {
          const why = found.job_explanation ?? '';
          return {
            state: 'over',
            result: failedStep(`AWX job ${id} is ${found.status}${why === '' ? '' : `: ${why}`}`),
          };
        }
        default:
          return { state: 'going on' };
      }
    },

    async cancel(id) {
      await askFor(ask, { url: `${api}/jobs/${id}/cancel/`, method: 'POST', headers, signal });
    },
  };
}
