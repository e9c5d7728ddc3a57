import type { RunView } from '../support/world.ts';
import { CHAOS_SPECS, HUB, PAGES, SHOP } from './specs.ts';
import type { ChaosWorld } from './world.ts';

/** Whether the forge shows of these runs, of `all` that there are, what they are (G5), and was never asked anything wrong. */
export async function auditForge(
  world: ChaosWorld,
  runs: readonly RunView[],
  all: readonly RunView[],
): Promise<string[]> {
  return [
    ...(await auditStatuses(world, runs)),
    ...(await auditDeployments(world, runs, all)),
    ...(await auditChecks(world, runs)),
    ...(await auditDispatches(world, runs, all)),
    ...world.forge.problems(),
  ];
}

/** The last status of the commit is the run's true end; and no worse than what is true of a commit that was deployed. */
async function auditStatuses(world: ChaosWorld, runs: readonly RunView[]): Promise<string[]> {
  const problems: string[] = [];
  for (const [sha, ofCommit] of Map.groupBy(runs, (run) => run.sha)) {
    const statuses = await world.forge.statuses(repositoryOf(ofCommit[0]), sha);
    for (const run of ofCommit) {
      const last = statuses.find(({ context }) => context === `mainsheet/${run.spec}`)?.['state'];
      const wanted = { succeeded: 'success', failed: 'failure' }[run.state] ?? 'error';
      const state = run.fault === 'mainsheet' ? 'error' : wanted;
      if (last === (isDeployed(run, ofCommit) ? 'success' : state)) continue;
      problems.push(
        `run ${run.id} of ${run.spec} is ${run.state}, its status ${JSON.stringify(last)}`,
      );
    }
  }
  return problems;
}

/** Another run of its spec has deployed its commit, and this one did nothing to that. */
function isDeployed(run: RunView, ofCommit: readonly RunView[]): boolean {
  if (run.state !== 'superseded') return false;
  return ofCommit.some(({ spec, state }) => spec === run.spec && state === 'succeeded');
}

/** One Deployment for each run, whose last state is the run's true end. */
async function auditDeployments(
  world: ChaosWorld,
  runs: readonly RunView[],
  all: readonly RunView[],
): Promise<string[]> {
  const deployments = Map.groupBy(
    [...(await deploymentsOf(world, SHOP)), ...(await deploymentsOf(world, PAGES))],
    ({ payload }) => payload.mainsheet.run,
  );
  const problems: string[] = [];
  for (const run of runs) {
    const states: string[] = [];
    for (const { id } of deployments.get(run.id) ?? []) {
      const path = `/repos/${repositoryOf(run)}/deployments/${id}/statuses`;
      const [last] = await read<{ state: string }>(world, path);
      states.push(last?.state ?? 'none');
    }
    const failed = run.fault === 'mainsheet' ? 'error' : 'failure';
    const succeeded = wasReplaced(run, all) ? 'inactive' : 'success';
    const wanted = { succeeded, failed }[run.state] ?? 'inactive';
    if (states.join() === wanted || (states.length === 0 && needsNone(run, all))) continue;
    problems.push(
      `run ${run.id} of ${run.spec} is ${run.state}, its Deployments [${states.join()}]`,
    );
  }
  return problems;
}

/** It ended as it was made, or a newer one was deployed before its Deployment could be shown. */
function needsNone(run: RunView, all: readonly RunView[]): boolean {
  const cameLate = /which is newer and (?:waits|runs)$/.test(run.reason);
  if (run.state === 'superseded' && cameLate) return true;
  return wasReplaced(run, all);
}

/** A newer run of its spec was deployed. */
function wasReplaced(run: RunView, all: readonly RunView[]): boolean {
  const newer = all.slice(
    0,
    all.findIndex(({ id }) => id === run.id),
  );
  return newer.some(({ spec, state }) => spec === run.spec && state === 'succeeded');
}

/** One check run for each run whose spec asks for it, whose conclusion is the run's true end. */
async function auditChecks(world: ChaosWorld, runs: readonly RunView[]): Promise<string[]> {
  const problems: string[] = [];
  const checked = CHAOS_SPECS.filter(({ more }) => more.includes('check'));
  for (const run of runs.filter(({ spec }) => checked.some(({ name }) => name === spec))) {
    const path = `/repos/${repositoryOf(run)}/commits/${run.sha}/check-runs?filter=all&per_page=100`;
    const { check_runs: all } = await get<{ check_runs: CheckView[] }>(world, path);
    const own = all.filter(({ external_id: id }) => id === run.id);
    const same = runs.filter(({ sha }) => sha === run.sha);
    const failed = run.state === 'failed' ? 'failure' : 'cancelled';
    const wanted = run.state === 'succeeded' || isDeployed(run, same) ? 'success' : failed;
    const shown = own.map(({ conclusion }) => conclusion).join();
    if (shown === wanted) continue;
    problems.push(`run ${run.id} of ${run.spec} is ${run.state}, its check runs [${shown}]`);
  }
  return problems;
}

interface CheckView {
  external_id: string;
  conclusion: string | null;
}

interface DeploymentView {
  id: number;
  payload: { mainsheet: { run: string } };
}

async function deploymentsOf(world: ChaosWorld, repository: string): Promise<DeploymentView[]> {
  const deployments: DeploymentView[] = [];
  for (let page = 1; ; page += 1) {
    const path = `/repos/${repository}/deployments?per_page=100&page=${page}`;
    const some = await read<DeploymentView>(world, path);
    deployments.push(...some);
    if (some.length < 100) return deployments;
  }
}

const read = <Item>(world: ChaosWorld, path: string) => get<Item[]>(world, path);

async function get<Answer>({ forge }: ChaosWorld, path: string): Promise<Answer> {
  const headers = { authorization: `Bearer ${forge.token}`, accept: 'application/json' };
  const response = await fetch(forge.url + path, { headers });
  if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Answer;
}

/** Who is to hear of an end has heard of it, and of nothing that is not so. */
async function auditDispatches(
  world: ChaosWorld,
  runs: readonly RunView[],
  all: readonly RunView[],
): Promise<string[]> {
  const told = (await world.forge.dispatches(HUB)).map(
    ({ client_payload: payload }) => payload as { run: string; state: string },
  );
  const heard = new Set(told.map(({ run, state }) => `${run} ${state}`));
  const wanted = runs.filter((run) =>
    CHAOS_SPECS.some(({ name, tells }) => name === run.spec && tells.includes(run.state)),
  );
  const missing = wanted.filter(({ id, state }) => !heard.has(`${id} ${state}`));
  const states = new Map(all.map(({ id, state }) => [id, state]));
  const untrue = told.filter(({ run, state }) => states.get(run) !== state);
  return [
    ...missing.map(({ id, state }) => `the hub never heard that run ${id} ${state}`),
    ...untrue.map(({ run, state }) => `the hub heard that run ${run} ${state}, which is not so`),
  ];
}

function repositoryOf(run: RunView | undefined): string {
  return CHAOS_SPECS.find(({ name }) => name === run?.spec)?.repository ?? '';
}
