import type { RunView } from '../support/world.ts';
import { overlaps, readBook, type BookLine } from './book.ts';
import { CHAOS_SPECS, HUB, PAGES, SHOP, type ChaosSpec } from './specs.ts';
import type { ChaosWorld } from './world.ts';

interface DeliveryView {
  state: string;
  event: string;
}

/** Everything that a quiet controller and the forge do not agree on, or that never may be. Empty when all is well. */
export async function audit(world: ChaosWorld): Promise<{ problems: string[]; runs: RunView[] }> {
  const runs = await allRuns(world);
  const lines = await readBook(world.book);
  const problems = [
    ...(await auditDeliveries(world, runs)),
    ...runs.flatMap((run) => auditRun(world, run, lines)),
    ...auditNewest(world, runs),
    ...overlaps(lines),
    ...(await auditStatuses(world, runs)),
    ...(await auditDeployments(world, runs)),
    ...(await auditDispatches(world, runs)),
    ...world.forge.problems(),
  ];
  return { problems, runs };
}

async function allRuns({ controller }: ChaosWorld): Promise<RunView[]> {
  const runs: RunView[] = [];
  let cursor = '';
  do {
    const page = await controller.get<{ items: RunView[]; next: string | null }>(
      `/runs?limit=200${cursor}`,
    );
    runs.push(...page.items);
    cursor = page.next === null ? '' : `&cursor=${encodeURIComponent(page.next)}`;
  } while (cursor !== '');
  return runs;
}

/** G1, G2, G6: what was acknowledged is there, is processed, and has made each of its runs once. */
async function auditDeliveries(world: ChaosWorld, runs: readonly RunView[]): Promise<string[]> {
  const problems: string[] = [];
  for (const id of world.deliveries().acknowledged) {
    const response = await fetch(`${world.controller.url}/api/v1/deliveries/${id}`);
    if (response.status === 404) {
      problems.push(`delivery ${id} was acknowledged and is gone`);
      continue;
    }
    const { state } = (await response.json()) as DeliveryView;
    if (state !== 'processed') problems.push(`delivery ${id} is ${state}`);
    const sent = world.forge.deliveries.find((delivery) => delivery.id === id);
    const wanted = specsFor(JSON.parse(sent?.body ?? '{}')).map(({ name }) => name);
    const made = runs.filter(({ delivery }) => delivery === id).map(({ spec }) => spec);
    if (made.toSorted().join() !== wanted.toSorted().join()) {
      problems.push(`delivery ${id} made runs of [${made.join()}], not of [${wanted.join()}]`);
    }
  }
  return problems;
}

function specsFor(payload: { ref?: string; repository?: { full_name?: string } }): ChaosSpec[] {
  if (payload.ref !== 'refs/heads/main') return [];
  return CHAOS_SPECS.filter(({ repository }) => repository === payload.repository?.full_name);
}

/** G6: the run has ended, in a way in which it may, and its steps saw its commit. */
function auditRun(world: ChaosWorld, run: RunView, lines: readonly BookLine[]): string[] {
  const problems: string[] = [];
  const named = `run ${run.id} of ${run.spec}`;
  const ends = CHAOS_SPECS.find(({ name }) => name === run.spec)?.ends ?? [];
  const end = run.fault === null ? run.state : `${run.state}/${run.fault}`;
  if (!ends.includes(end)) problems.push(`${named} is ${end}: ${run.reason}`);
  const own = lines.filter((line) => line.run === run.id);
  const mark = world.marks.get(run.sha);
  if (own.some((line) => line.mark !== mark)) problems.push(`${named} ran in another commit`);
  for (const step of run.state === 'succeeded' ? ['build', 'deploy'] : []) {
    const ended = own.some((line) => line.step === step && line.what === 'end');
    if (!ended) problems.push(`${named} succeeded and its step ${step} never ended`);
  }
  return problems;
}

/** G4: the last commit of each repository was deployed, unless its spec cannot be. */
function auditNewest(world: ChaosWorld, runs: readonly RunView[]): string[] {
  return CHAOS_SPECS.flatMap(({ name, repository }) => {
    const run = runs.find(({ spec, sha }) => spec === name && sha === world.newest(repository));
    if (run?.state !== 'superseded' && run?.state !== 'cancelled') return [];
    return [`run ${run.id} of ${name} is ${run.state} and of the newest commit: ${run.reason}`];
  });
}

/** G5: the last status of the commit is the run's true end. */
async function auditStatuses(world: ChaosWorld, runs: readonly RunView[]): Promise<string[]> {
  const problems: string[] = [];
  for (const run of runs) {
    const statuses = await world.forge.statuses(repositoryOf(run), run.sha);
    const last = statuses.find(({ context }) => context === `mainsheet/${run.spec}`)?.['state'];
    const wanted = { succeeded: 'success', failed: 'failure' }[run.state] ?? 'error';
    const state = run.fault === 'mainsheet' ? 'error' : wanted;
    if (last !== state) {
      problems.push(
        `run ${run.id} of ${run.spec} is ${run.state}, its status ${JSON.stringify(last)}`,
      );
    }
  }
  return problems;
}

/** G5: one Deployment for each run, whose last state is the run's true end. */
async function auditDeployments(world: ChaosWorld, runs: readonly RunView[]): Promise<string[]> {
  const found = new Map<string, string[]>();
  for (const repository of [SHOP, PAGES]) {
    for (const { run, state } of await deploymentsOf(world, repository)) {
      found.set(run, [...(found.get(run) ?? []), state]);
    }
  }
  return runs.flatMap((run) => {
    const states = found.get(run.id) ?? [];
    const failed = run.fault === 'mainsheet' ? 'error' : 'failure';
    const wanted = { succeeded: 'success', failed }[run.state] ?? 'inactive';
    if (states.join() === wanted) return [];
    // One that came late ended as it was made, and has none.
    const cameLate =
      run.state === 'superseded' && /which is newer and (?:waits|runs)$/.test(run.reason);
    if (cameLate && states.length === 0) return [];
    return [`run ${run.id} of ${run.spec} is ${run.state}, its Deployments [${states.join()}]`];
  });
}

async function deploymentsOf(
  { forge }: ChaosWorld,
  repository: string,
): Promise<{ run: string; state: string }[]> {
  const read = async <Item>(path: string) => {
    const headers = { authorization: `Bearer ${forge.token}`, accept: 'application/json' };
    const response = await fetch(`${forge.url}/repos/${repository}${path}`, { headers });
    return (await response.json()) as Item[];
  };
  const deployments: { run: string; state: string }[] = [];
  for (let page = 1; ; page += 1) {
    const some = await read<{ id: number; payload: { mainsheet: { run: string } } }>(
      `/deployments?per_page=100&page=${page}`,
    );
    for (const { id, payload } of some) {
      const [last] = await read<{ state: string }>(`/deployments/${id}/statuses`);
      deployments.push({ run: payload.mainsheet.run, state: last?.state ?? 'none' });
    }
    if (some.length < 100) return deployments;
  }
}

/** G5: who is to hear of an end has heard of it, and of nothing that is not so. */
async function auditDispatches(world: ChaosWorld, runs: readonly RunView[]): Promise<string[]> {
  const told = (await world.forge.dispatches(HUB)).map(
    ({ client_payload: payload }) => payload as { run: string; state: string },
  );
  const heard = new Set(told.map(({ run, state }) => `${run} ${state}`));
  const wanted = runs.filter((run) =>
    CHAOS_SPECS.some(({ name, tells }) => name === run.spec && tells.includes(run.state)),
  );
  const missing = wanted.filter(({ id, state }) => !heard.has(`${id} ${state}`));
  const untrue = told.filter(
    ({ run, state }) => !runs.some((r) => r.id === run && r.state === state),
  );
  return [
    ...missing.map(({ id, state }) => `the hub never heard that run ${id} ${state}`),
    ...untrue.map(({ run, state }) => `the hub heard that run ${run} ${state}, which is not so`),
  ];
}

function repositoryOf(run: RunView): string {
  return CHAOS_SPECS.find(({ name }) => name === run.spec)?.repository ?? '';
}
