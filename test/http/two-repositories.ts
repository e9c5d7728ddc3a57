import { parseSpecs } from '../../src/spec/load.ts';
import type { Store } from '../../src/store/index.ts';
import type { CatalogState } from '../../src/spec/catalog.ts';
import { sampleDelivery, sampleRun, sampleStatus } from '../store/samples.ts';

/** The name of a repository, a spec and a lane that is kept from those who may not read it. */
export const SECRET = 'skunkworks';

/** The hook that both specs are for. */
export const HOOKS = parseSpecs(
  'hooks.yaml',
  'kind: hook\nid: alerts\nsender: { hmac: { header: X-Sig } }\nextract: { name: $.name }\n',
).hooks.map(({ hook }) => hook);

/** The id of a hook that is made by hand. */
const MADE = 'ab'.repeat(16);

/** Ids of what is in each of the two repositories. */
export interface Ids {
  runs: string;
  deliveries: string;
  /** Of specs and lanes. */
  name: string;
  entry: string;
}

/**
 * Two repositories with everything that a repository can have: `acme/storefront`, whose ids begin with `open`, and
 * `acme/skunkworks`, whose ids begin with `closed` and whose texts name it. Of each a run has ended and one waits.
 */
export async function fillTwo(
  store: Store,
  specs: CatalogState,
): Promise<{ open: Ids; closed: Ids }> {
  const yaml = (name: string) =>
    `name: ${name}\nrepository: acme/${name}\nenvironment: ${name}-env\nconcurrency: { lane: ${name} }\non: { push: {}, hook: { id: alerts } }\nsteps: [{ run: make }]\n`;
  const texts = [`name: storefront`, `name: ${SECRET}`].map((line) => yaml(line.slice(6)));
  specs.specs = parseSpecs('all.yaml', texts.join('---\n')).specs;
  specs.source = { repository: `acme/${SECRET}`, path: SECRET, commit: 'c'.repeat(40) };
  specs.problems = [{ file: `${SECRET}.yaml`, line: 1, column: 1, message: SECRET }];
  const [open, closed] = [
    await fill(store, 'open', 'storefront'),
    await fill(store, 'closed', SECRET),
  ];
  await addMadeHook(store);
  return { open, closed };
}

/** The hook that was made by hand: of `alerts`, and its texts name what is hidden. */
export async function addMadeHook(store: Store): Promise<void> {
  await store.hooks.add({
    id: MADE,
    hook: 'alerts',
    owner: SECRET,
    specs: [SECRET],
    inputs: { name: SECRET },
    secrets: [],
    createdAt: 1,
    createdBy: 'admin',
    expiresAt: Date.UTC(2100, 0),
  });
}

async function fill(store: Store, id: string, name: string): Promise<Ids> {
  const repository = `acme/${name}`;
  await store.accept(
    sampleDelivery(`${id}-delivery`, { repository, payload: `{"head":"${name}"}` }),
  );
  const verdict = { matched: true, reasons: [{ condition: 'push', held: true, detail: name }] };
  const outcome = { summary: name, specs: [{ spec: name, verdict, run: `${id}-run` }] };
  await store.inbox.close(`${id}-delivery`, 'processed', outcome, 2);
  const more = {
    spec: name,
    repository,
    lane: name,
    environment: `${name}-env`,
    delivery: `${id}-delivery`,
    reason: name,
  };
  const run = await store.runs.insert(
    sampleRun(`${id}-run`, { ...more, state: 'succeeded', startedAt: 10, finishedAt: 20 }),
    [name],
  );
  if (run !== undefined) await store.environments.record(run, 1);
  await store.runs.insert(sampleRun(`${id}-next`, { ...more, state: 'blocked' }), [name]);
  await store.logs.append(`${id}-run`, [
    { seq: 0, at: 1, step: 1, stream: 'stdout', text: `${name}\n` },
  ]);
  const status = { ...sampleStatus('success'), repository, description: name };
  await store.outbox.add(`${id}-run`, [{ target: repository, callback: status }], 1);
  const [entry] = await store.outbox.ofRun(`${id}-run`);
  await store.outbox.finish(entry?.id ?? 0, 'dead', 1, name);
  await store.pauses.add({ kind: 'spec', name, since: 1, by: name, reason: name });
  await store.pauses.add({ kind: 'lane', name, since: 1, by: name, reason: name });
  for (const [action, subject] of [
    ['run.retry', `${id}-run`],
    ['delivery.replay', `${id}-delivery`],
    ['spec.pause', name],
    ['lane.pause', name],
    ['outbox.retry', String(entry?.id)],
  ] as const) {
    await store.audit.record({ at: 1, actor: `by-${name}`, action, subject, detail: name });
  }
  return { runs: `${id}-run`, deliveries: `${id}-delivery`, name, entry: String(entry?.id) };
}

/** A path of the router (`/runs/:id/log/:step`) as one that can be asked for. */
export function pathWith(route: string, ids: Ids): string {
  const room = /^(?:\/api\/v1)?\/([\w-]+)/.exec(route)?.[1] ?? '';
  const rooms: Record<string, string> = {
    runs: ids.runs,
    deliveries: ids.deliveries,
    outbox: ids.entry,
    callbacks: ids.entry,
    hooks: MADE,
  };
  return route.replace(':step', '1').replaceAll(/:\w+/g, rooms[room] ?? ids.name);
}
