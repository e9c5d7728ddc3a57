import { asAdmin } from '../support/admin.ts';
import type { ExplainView, RunView } from '../support/world.ts';
import { auditForge } from './audit-forge.ts';
import { overlaps, readBook, type BookLine } from './book.ts';
import { CHAOS_SPECS, type ChaosSpec } from './specs.ts';
import type { ChaosWorld } from './world.ts';

/** The books of a world. */
export interface Audit {
  /**
   * Everything that quiet controllers and the forge do not agree on, or that never may be; empty when all is well. Of what
   * was well before it looks only with `all` whether it still is.
   */
  check(all: boolean): Promise<string[]>;
  /** Every run at the last check. */
  runs(): readonly RunView[];
}

interface DeliveryView {
  state: string;
  event: string;
}

export function createAudit(world: ChaosWorld): Audit {
  let runs: RunView[] = [];
  const deliveriesBefore = new Set<string>();
  const runsBefore = new Set<string>();

  return {
    async check(all) {
      runs = await allRuns(world);
      const lines = await readBook(world.book);
      const deliveries = [...world.deliveries().acknowledged].filter(
        (id) => all || !deliveriesBefore.has(id),
      );
      const inQuestion = runs.filter(({ id }) => all || !runsBefore.has(id));
      const problems = [
        ...(await auditDeliveries(world, deliveries, runs)),
        ...auditRuns(world, inQuestion, lines),
        ...auditPushes(world, runs),
        ...auditNewest(world, runs),
        ...overlaps(lines),
        ...(await auditForge(world, inQuestion, runs)),
        ...auditForgotten(world, lines, runs),
      ];
      for (const id of deliveries) deliveriesBefore.add(id);
      for (const { id } of inQuestion) runsBefore.add(id);
      return problems;
    },
    runs: () => runs,
  };
}

/** The newest first. */
async function allRuns(world: ChaosWorld): Promise<RunView[]> {
  const runs: RunView[] = [];
  let cursor = '';
  do {
    const page = await world
      .witness()
      .get<{ items: RunView[]; next: string | null }>(`/runs?limit=200${cursor}`);
    runs.push(...page.items);
    cursor = page.next === null ? '' : `&cursor=${encodeURIComponent(page.next)}`;
  } while (cursor !== '');
  return runs;
}

/**
 * G1, G2, G6: what was acknowledged is there, is processed, and has made each of its runs once; none where a look had told of
 * its push before.
 */
async function auditDeliveries(
  world: ChaosWorld,
  ids: readonly string[],
  runs: readonly RunView[],
): Promise<string[]> {
  const problems: string[] = [];
  const bodies = new Map(world.forge.deliveries.map(({ id, body }) => [id, body]));
  const specs = Map.groupBy(runs, ({ delivery }) => delivery);
  for (const id of ids) {
    const response = await asAdmin(`${world.witness().url}/api/v1/deliveries/${id}`);
    if (response.status === 404) {
      problems.push(`delivery ${id} was acknowledged and is gone`);
      continue;
    }
    const { state } = (await response.json()) as DeliveryView;
    if (state !== 'processed') problems.push(`delivery ${id} is ${state}`);
    const wanted = specsFor(JSON.parse(bodies.get(id) ?? '{}')).map(({ name }) => name);
    const made = (specs.get(id) ?? []).map(({ spec }) => spec);
    if (made.length === 0 && wanted.length > 0 && (await wasTold(world, id))) continue;
    if (made.toSorted().join() !== wanted.toSorted().join()) {
      problems.push(`delivery ${id} made runs of [${made.join()}], not of [${wanted.join()}]`);
    }
  }
  return problems;
}

async function wasTold(world: ChaosWorld, id: string): Promise<boolean> {
  const view = await world.witness().get<ExplainView>(`/deliveries/${id}/explain`);
  return /^Not deployed.* delivery reconcile-/.test(view.summary);
}

/** One push, one run of each spec: every commit is pushed once, and the newest has its runs. */
function auditPushes(world: ChaosWorld, runs: readonly RunView[]): string[] {
  const count = Map.groupBy(runs, ({ spec, sha }) => `${spec} ${sha}`);
  return CHAOS_SPECS.flatMap(({ name, repository }) => {
    const newest = world.newest(repository);
    const problems = [...world.marks.keys()].flatMap((sha) => {
      const made = count.get(`${name} ${sha}`)?.length ?? 0;
      return made > 1 ? [`the push of ${sha} has ${made} runs of ${name}`] : [];
    });
    const isMissing = newest !== undefined && !count.has(`${name} ${newest}`);
    return [
      ...problems,
      ...(isMissing ? [`the last push of ${repository} has no run of ${name}`] : []),
    ];
  });
}

function specsFor(payload: { ref?: string; repository?: { full_name?: string } }): ChaosSpec[] {
  if (payload.ref !== 'refs/heads/main') return [];
  return CHAOS_SPECS.filter(({ repository }) => repository === payload.repository?.full_name);
}

/** G6: each run has ended, in a way in which it may, and its steps saw its commit. */
function auditRuns(
  world: ChaosWorld,
  runs: readonly RunView[],
  lines: readonly BookLine[],
): string[] {
  const linesOf = Map.groupBy(lines, ({ run }) => run);
  const problems: string[] = [];
  for (const run of runs) {
    const named = `run ${run.id} of ${run.spec}`;
    const ends = CHAOS_SPECS.find(({ name }) => name === run.spec)?.ends ?? [];
    const end = run.fault === null ? run.state : `${run.state}/${run.fault}`;
    if (!ends.includes(end)) problems.push(`${named} is ${end}: ${run.reason}`);
    const own = linesOf.get(run.id) ?? [];
    const mark = world.marks.get(run.sha);
    if (own.some((line) => line.mark !== mark)) problems.push(`${named} ran in another commit`);
    for (const step of run.state === 'succeeded' ? ['build', 'deploy'] : []) {
      const ended = own.some((line) => line.step === step && line.what === 'end');
      if (!ended) problems.push(`${named} succeeded and its step ${step} never ended`);
    }
  }
  return problems;
}

/** What the world saw of a run is still known of it: a step that wrote, a Deployment that was made. */
function auditForgotten(
  world: ChaosWorld,
  lines: readonly BookLine[],
  runs: readonly RunView[],
): string[] {
  const known = new Set(runs.map(({ id }) => id));
  const shown = world.forge.journal.flatMap(
    ({ body }) => LINK.exec(JSON.stringify(body))?.[1] ?? [],
  );
  const forgotten = new Set(
    [...lines.map(({ run }) => run), ...shown].filter((id) => !known.has(id)),
  );
  return [...forgotten].map((id) => `run ${id} was seen outside and is not known`);
}

const LINK = /\/runs\/([0-9a-z]+)/;

/** G4: the last commit of each repository was deployed, unless its spec cannot be. */
function auditNewest(world: ChaosWorld, runs: readonly RunView[]): string[] {
  return CHAOS_SPECS.flatMap(({ name, repository }) => {
    const run = runs.find(({ spec, sha }) => spec === name && sha === world.newest(repository));
    if (run?.state !== 'superseded' && run?.state !== 'cancelled') return [];
    return [`run ${run.id} of ${name} is ${run.state} and of the newest commit: ${run.reason}`];
  });
}
