import { ACTIONS, CONTENTS, type Permission } from '../github/check.ts';
import { createWorkflows, type WorkflowEvent, type Workflows } from '../github/workflows.ts';
import { TerminalError } from '../lib/errors.ts';
import type { Json } from '../model/event.ts';
import type { WorkflowStepSpec } from '../spec/steps/workflow.ts';
import { renderJson, renderTemplate } from '../spec/expressions.ts';
import type { DoStep, StepContext, StepKind } from './contract.ts';
import { failedStep, succeeded } from './ending.ts';
import { runRemote, type Look, type Remote } from './remote.ts';

/** What is asked costs requests of the limit that all of GitHub's API has in an hour. */
const LOOK_EVERY_MS = 15_000;
/** An event may start its run only after a while. */
const FIND_TRIES = 4;
/** How often a run is looked for that an event is to have started, before the step fails: ten minutes. */
const MOST_WAITING = 40;
/** While it is not known yet which run was started. */
const WAITING = 'waiting';
/** The key of the `client_payload` that a start is known by. */
const ID = 'mainsheet_id';

/**
 * Starts a workflow of GitHub Actions and waits for the end of its run. It is found by the number that GitHub gives it, or by an id
 * that it was passed and has in its name.
 */
export function createWorkflowStep(
  deps: Parameters<typeof createWorkflows>[0],
): DoStep<WorkflowStepSpec> {
  const pace = { clock: deps.clock, lookEveryMs: LOOK_EVERY_MS, findTries: FIND_TRIES };
  return (context) =>
    runRemote(pace, context, (signal) =>
      workflow(createWorkflows(deps, context.step.repository, signal), context),
    );
}

export const workflowStep = {
  create: createWorkflowStep,
  permissions: permissionsFor,
} satisfies StepKind<WorkflowStepSpec, Parameters<typeof createWorkflowStep>[0]>;

function permissionsFor({ start }: WorkflowStepSpec): Permission[] {
  const actions: Permission = { ...ACTIONS, least: 'write', why: 'to start and cancel workflows' };
  const contents: Permission = { ...CONTENTS, least: 'write', why: 'for repository_dispatch' };
  return start.by === 'event' ? [actions, contents] : [actions];
}

function workflow(github: Workflows, { step, values, log }: StepContext<WorkflowStepSpec>): Remote {
  const { start } = step;
  const which: WorkflowEvent =
    start.by === 'event'
      ? { event: 'repository_dispatch', workflow: undefined }
      : { event: 'workflow_dispatch', workflow: start.workflow };
  const isFindable = start.by === 'event' || start.idInput !== undefined;
  /** What the log has of each job. */
  const shown = new Map<string, string>();
  let linked = false;
  let looks = 0;

  async function lookForRun(id: string): Promise<Look> {
    const run = await github.find(which, id);
    if (run !== undefined) return workOf(id, run);
    looks += 1;
    if (looks < MOST_WAITING) return undefined;
    const hint = 'give the workflow a run-name with the id that it is passed';
    return failedStep(`no run has ${id} in its name (${hint})`);
  }

  async function lookAtRun(number: number): Promise<Look> {
    const run = await github.look(number);
    if (!linked) log('stdout', `Workflow run ${number}: ${run.url}\n`);
    linked = true;
    for (const { name, state, url } of run.jobs) {
      if (shown.get(url ?? name) === state) continue;
      shown.set(url ?? name, state);
      log(
        'stdout',
        `${name}: ${state.replaceAll('_', ' ')}${url === undefined ? '' : ` ${url}`}\n`,
      );
    }
    if (run.conclusion === undefined) return undefined;
    if (run.conclusion === 'success') {
      return succeeded({ workflow_run: String(number), workflow_url: run.url });
    }
    const bad = run.jobs.filter(({ state }) => !['success', 'skipped', 'neutral'].includes(state));
    const jobs = bad.slice(0, 5).map(({ name, state }) => `${name} (${state})`);
    const among = jobs.length === 0 ? '' : `: ${jobs.join(', ')}`;
    return failedStep(`workflow run ${number} ended with ${run.conclusion}${among}`);
  }

  return {
    async start(name) {
      if (start.by === 'event') {
        const payload = renderJson(start.payload, values) as Record<string, Json>;
        await github.dispatch(renderTemplate(start.eventType, values), { ...payload, [ID]: name });
        return workOf(name);
      }
      const inputs = Object.fromEntries(
        Object.entries(start.inputs).map(([key, value]) => [key, renderTemplate(value, values)]),
      );
      if (start.idInput !== undefined) inputs[start.idInput] = name;
      const ref = renderTemplate(start.ref, values);
      const run = await github.start(start.workflow, ref, inputs, isFindable);
      if (run === undefined && !isFindable)
        throw unknownRun(step.repository, 'GitHub does not say');
      return workOf(name, run);
    },

    async find({ id: name }) {
      if (!isFindable) throw unknownRun(step.repository, 'Mainsheet was restarted before it knew');
      const run = await github.find(which, name);
      return run === undefined ? undefined : workOf(name, run);
    },

    async look(work) {
      const [name = '', run] = work.split(' ');
      return run === WAITING ? await lookForRun(name) : await lookAtRun(Number(run));
    },

    async cancel(work) {
      const [name = '', written] = work.split(' ');
      const run = written === WAITING ? await github.find(which, name) : Number(written);
      if (run !== undefined) return await github.cancel(run);
      throw new TerminalError('workflow-unknown', 'its run is not there yet');
    },
  };
}

/** What was started, as the step keeps it. */
function workOf(id: string, run?: number): string {
  return `${id} ${run ?? WAITING}`;
}

function unknownRun(repository: string, why: string): TerminalError {
  return new TerminalError('workflow-unknown', `${why} which run of ${repository} was started`, {
    hint: 'look there; name an "id-input" in the spec, so that the run can be found by it',
  });
}
