import * as z from 'zod';
import { isoTime, type Clock } from '../lib/clock.ts';
import { describeError, TerminalError } from '../lib/errors.ts';
import type { AwxStepSpec } from '../spec/steps/awx.ts';
import { renderJson } from '../spec/expressions.ts';
import { TooLargeError, type Answer, type Ask } from './ask.ts';
import type { DoStep, StepContext, StepKind } from './contract.ts';
import { failedStep, succeeded } from './ending.ts';
import { askFor, runRemote, understand, type Remote } from './remote.ts';
import type { RemoteOutput } from './remote-output.ts';

const template = z.object({
  ask_variables_on_launch: z.boolean(),
  survey_enabled: z.boolean().optional(),
});
const launched = z.object({
  job: z.number(),
  ignored_fields: z.record(z.string(), z.unknown()).optional(),
});
const jobs = z.object({
  next: z.string().nullable(),
  results: z.array(z.object({ id: z.number(), extra_vars: z.string() })),
});
const job = z.object({
  status: z.string(),
  job_explanation: z.string().optional(),
  // Older ones do not say.
  event_processing_finished: z.boolean().optional(),
});
const stdout = z.object({
  range: z.object({ absolute_end: z.number() }),
  content: z.string(),
});

/** The extra variable that a start is known by. */
const ID = 'mainsheet_id';
/** Of one page: each has some kilobytes. */
const PAGE_JOBS = 25;
/** Pages that are looked through for a job. */
const MOST_PAGES = 40;
/** How often a job that is over is looked at again until AWX has stored all of its output: two minutes. */
const MOST_LATE_LOOKS = 24;
/** Names of variables in a sentence. */
const MOST_NAMES = 10;

const OVER = new Set(['successful', 'failed', 'error', 'canceled']);
const PROMPT = 'check "Prompt on launch" for the variables of the template';

/** Launches a job template of AWX or Ansible Automation Platform, and waits for its job: https://docs.ansible.com/automation-controller/latest/html/controllerapi/api_ref.html */
export function createAwxStep({ ask, clock }: { ask: Ask; clock: Clock }): DoStep<AwxStepSpec> {
  return (context) =>
    runRemote({ clock }, context, (signal, output) => awx(ask, context, signal, output));
}

export const awxStep = { create: createAwxStep } satisfies StepKind<
  AwxStepSpec,
  Parameters<typeof createAwxStep>[0]
>;

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
  const get = async <T>(path: string, schema: z.ZodType<T>): Promise<T> =>
    understood(schema, await askFor(ask, { url: api + path, method: 'GET', headers, signal }));
  const pageOf = (id: string) => `${step.server}/#/jobs/playbook/${id}`;

  async function showOutput(id: string): Promise<void> {
    const from = output.at();
    const { content: given, range } = await get(
      // Older ones answer with an object only when they are asked for both of the content's.
      `/jobs/${id}/stdout/?format=json&content_format=ansi&content_encoding=base64&start_line=${from}`,
      stdout,
    );
    // Of more than it gives at once AWX says only that, in a sentence.
    if (!/^[A-Za-z0-9+/]*=*$/.test(given))
      throw new TooLargeError('AWX has more output than it gives');
    const content = Buffer.from(given, 'base64').toString('utf8');
    const lines = content === '' || content.endsWith('\n') ? content : `${content}\n`;
    await output.show(lines, range.absolute_end);
  }

  const cancel = async (id: string): Promise<void> => {
    await askFor(ask, { url: `${api}/jobs/${id}/cancel/`, method: 'POST', headers, signal });
  };

  async function refuseWithout(ignored: string[], id: string): Promise<never> {
    const names = ignored.slice(0, MOST_NAMES).join(', ');
    const without = `AWX job ${id} was started without ${names}`;
    const end = await cancel(id).then(
      () => 'is cancelled',
      (error: unknown) => `could not be cancelled: ${describeError(error)}`,
    );
    throw new TerminalError('awx-variables', `${without}, and ${end}`, { hint: PROMPT });
  }

  let lateLooks = 0;

  return {
    async start(id) {
      const takes = await get(`/job_templates/${step.template}/launch/`, template);
      if (!takes.ask_variables_on_launch && takes.survey_enabled !== true) {
        const why = `the AWX template ${step.template} takes no variables, and was not started`;
        throw new TerminalError('awx-variables', why, { hint: PROMPT });
      }
      const extra = renderJson(step.extraVars, values) as object;
      const body = JSON.stringify({ extra_vars: { ...extra, [ID]: id } });
      const url = `${api}/job_templates/${step.template}/launch/`;
      const answer = await askFor(ask, { url, method: 'POST', headers, body, signal });
      const { job: number, ignored_fields: ignored = {} } = understood(launched, answer);
      log('stdout', `AWX job ${number}: ${pageOf(String(number))}\n`);
      const names = namesOf(ignored);
      if (names.length > 0) await refuseWithout(names, String(number));
      return String(number);
    },

    // AWX does not filter by variables, so all that were created since are looked through, the first of them first: one that was
    // relaunched has the same variables.
    async find({ id, since }) {
      const path = `/job_templates/${step.template}`;
      for (let page = 1; page <= MOST_PAGES; page += 1) {
        const query = new URLSearchParams({
          created__gte: isoTime(since),
          order_by: 'id',
          page_size: String(PAGE_JOBS),
          page: String(page),
        });
        const { results, next } = await get(`${path}/jobs/?${query.toString()}`, jobs);
        const found = results.find((each) => idIn(each.extra_vars) === id);
        if (found !== undefined) return String(found.id);
        if (next !== null) continue;
        const takes = await get(`${path}/launch/`, template);
        if (takes.ask_variables_on_launch) return undefined;
        throw unknownJob(step.template, PROMPT);
      }
      throw unknownJob(step.template, 'it has too many new ones to find it; look there');
    },

    async look(id) {
      const found = await get(`/jobs/${id}/`, job);
      await output.unlessUnreadable(pageOf(id), () => showOutput(id));
      const isWhole = found.event_processing_finished !== false;
      if (OVER.has(found.status) && !isWhole) {
        lateLooks += 1;
        if (lateLooks < MOST_LATE_LOOKS) return undefined;
        log('stderr', `AWX has not stored all of the output yet; the rest is at ${pageOf(id)}\n`);
      }
      if (!OVER.has(found.status)) return undefined;
      if (found.status === 'successful') return succeeded({ job: id });
      const why = found.job_explanation ?? '';
      return failedStep(`AWX job ${id} is ${found.status}${why === '' ? '' : `: ${why}`}`);
    },

    cancel,
  };
}

function understood<T>(schema: z.ZodType<T>, answer: Answer): T {
  return understand('AWX', schema, answer);
}

/** What AWX did not take, by name: some versions have the variables themselves among the fields. */
function namesOf(ignored: Record<string, unknown>): string[] {
  const { extra_vars: variables, ...fields } = ignored;
  const isObject = typeof variables === 'object' && variables !== null;
  return [...Object.keys(fields), ...(isObject ? Object.keys(variables) : [])];
}

/** Variables that were given at the launch are JSON there, other ones may be YAML. */
function idIn(variables: string): unknown {
  try {
    return (JSON.parse(variables) as Record<string, unknown> | null)?.[ID];
  } catch {
    return undefined;
  }
}

function unknownJob(template: number, hint: string): TerminalError {
  const why = 'Mainsheet was restarted before it knew whether a job';
  return new TerminalError('awx-unknown', `${why} of the AWX template ${template} was started`, {
    hint,
  });
}
