import { RequestError } from '@octokit/request-error';
import type { Octokit } from '@octokit/rest';
import * as z from 'zod';
import type { Clock } from '../lib/clock.ts';
import { RetryableError } from '../lib/errors.ts';
import { ownerOf } from '../lib/names.ts';
import { IMPORTANCE } from '../model/importance.ts';
import type { Budget } from './budget.ts';
import type { GitHub } from './client.ts';
import { asGitHubFailure, isAboutCredentials, unreadableAnswer } from './failure.ts';

/** One run of a workflow as it is now. `conclusion`: how it ended, while it goes on undefined. */
export interface WorkflowRun {
  url: string;
  conclusion: string | undefined;
  jobs: { name: string; state: string; url: string | undefined }[];
}

/** Which runs are looked through. */
export interface WorkflowEvent {
  event: 'workflow_dispatch' | 'repository_dispatch';
  /** A workflow's file name; undefined: of all workflows. */
  workflow: string | undefined;
}

/**
 * The workflows of one repository, as what may act there: an App where it is installed. What is written is paid from the budget
 * and waits for it. Everything throws RetryableError or TerminalError as `asGitHubFailure` does.
 */
export interface Workflows {
  /**
   * Starts one. Gives the number of its run where GitHub tells it: GitHub Enterprise Server does from 3.21 on. An older one is asked
   * only with `mayBeUnknown`, because it starts what it does not tell of. https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event
   */
  start(
    workflow: string,
    ref: string,
    inputs: Record<string, string>,
    mayBeUnknown: boolean,
  ): Promise<number | undefined>;
  /** https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event */
  dispatch(eventType: string, payload: Record<string, unknown>): Promise<void>;
  /** The number of a run with `text` in its name, of the newest hundred. https://docs.github.com/en/rest/actions/workflow-runs */
  find(which: WorkflowEvent, text: string): Promise<number | undefined>;
  look(run: number): Promise<WorkflowRun>;
  cancel(run: number): Promise<void>;
}

const runAnswer = z.object({
  html_url: z.string(),
  status: z.string().nullable(),
  conclusion: z.string().nullable(),
});
const jobsAnswer = z.object({
  jobs: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      conclusion: z.string().nullish(),
      html_url: z.string().nullish(),
    }),
  ),
});
const runsAnswer = z.object({
  workflow_runs: z.array(z.object({ id: z.number(), display_title: z.string() })),
});
const startAnswer = z.object({ workflow_run_id: z.number() });

/** Between two tries to get leave for a write. */
const LEAVE_MS = 1000;
const PER_PAGE = 100;

export function createWorkflows(
  deps: { github: Pick<GitHub, 'octokit' | 'forget'>; budget: Pick<Budget, 'take'>; clock: Clock },
  repository: string,
  signal: AbortSignal,
): Workflows {
  const { github, budget, clock } = deps;
  const [owner = '', repo = ''] = repository.split('/');
  // The step repeats what it asks, and a cancelled one is not to wait for that.
  const place = { owner, repo, request: { signal, retries: 0 } };

  async function ask<Answer>(doing: string, act: (octokit: Octokit) => Promise<Answer>) {
    try {
      return await act(await github.octokit(repository));
    } catch (error) {
      if (isAboutCredentials(error)) github.forget(repository);
      // A run that has just been made may not be known everywhere yet.
      const attempt = { doing: `${doing} ${repository}`, maybeTooEarly: true, now: clock.now() };
      throw asGitHubFailure(error, attempt);
    }
  }

  /** A rate limit says that nothing was done: the budget knows for how long there is no leave then. */
  async function write<Answer>(doing: string, act: (octokit: Octokit) => Promise<Answer>) {
    for (;;) {
      const grant = await budget.take(ownerOf(repository), IMPORTANCE.notification);
      try {
        if (grant !== undefined) {
          const answer = await ask(doing, act);
          grant.sent();
          return answer;
        }
      } catch (error) {
        grant?.failed(error);
        if (!(error instanceof RetryableError && error.code === 'github-rate-limited')) throw error;
      }
      await clock.sleep(LEAVE_MS, signal);
      signal.throwIfAborted();
    }
  }

  return {
    async start(workflow, ref, inputs, mayBeUnknown) {
      return await write('start a workflow of', async (octokit) => {
        const request = (more: { return_run_details?: true }) =>
          octokit.request('POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches', {
            ...place,
            workflow_id: workflow,
            ref,
            inputs,
            ...more,
          });
        try {
          const { status, data }: { status: number; data: unknown } = await request({
            return_run_details: true,
          });
          return status === 204 ? undefined : read(startAnswer, data, status).workflow_run_id;
        } catch (error) {
          // An older server knows no such field, and has started nothing.
          if (!mayBeUnknown || !knowsNoDetails(error)) throw error;
          await request({});
          return undefined;
        }
      });
    },

    async dispatch(eventType, payload) {
      await write('dispatch to', (octokit) =>
        octokit.request('POST /repos/{owner}/{repo}/dispatches', {
          ...place,
          event_type: eventType,
          client_payload: payload,
        }),
      );
    },

    async find({ event, workflow }, text) {
      return await ask('look for a workflow run of', async (octokit) => {
        const which = { ...place, event, per_page: PER_PAGE };
        const { status, data } =
          workflow === undefined
            ? await octokit.request('GET /repos/{owner}/{repo}/actions/runs', which)
            : await octokit.request(
                'GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs',
                { ...which, workflow_id: workflow },
              );
        const { workflow_runs: runs } = read(runsAnswer, data, status);
        return runs.find(({ display_title: title }) => title.includes(text))?.id;
      });
    },

    async look(run) {
      return await ask('look at a workflow run of', async (octokit) => {
        const which = { ...place, run_id: run };
        const one = await octokit.request('GET /repos/{owner}/{repo}/actions/runs/{run_id}', which);
        const { status, conclusion, html_url: url } = read(runAnswer, one.data, one.status);
        const all = await octokit.request('GET /repos/{owner}/{repo}/actions/runs/{run_id}/jobs', {
          ...which,
          per_page: PER_PAGE,
        });
        const { jobs } = read(jobsAnswer, all.data, all.status);
        return {
          url,
          conclusion: status === 'completed' ? (conclusion ?? 'unknown') : undefined,
          jobs: jobs.map((job) => ({
            name: job.name,
            state: job.conclusion ?? job.status,
            url: job.html_url ?? undefined,
          })),
        };
      });
    },

    async cancel(run) {
      await write('cancel a workflow run of', (octokit) =>
        octokit.request('POST /repos/{owner}/{repo}/actions/runs/{run_id}/cancel', {
          ...place,
          run_id: run,
        }),
      );
    },
  };
}

function read<Shape extends z.ZodType>(shape: Shape, data: unknown, status: number) {
  const told = shape.safeParse(data);
  if (!told.success) throw unreadableAnswer(status);
  return told.data;
}

function knowsNoDetails(error: unknown): boolean {
  return (
    error instanceof RequestError &&
    (error.status === 400 || error.status === 422) &&
    error.message.includes('return_run_details')
  );
}
