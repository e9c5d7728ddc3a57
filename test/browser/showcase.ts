import { pauseReason, type Pause } from '../../src/model/pause.ts';
import type { CatalogState } from '../../src/spec/catalog.ts';
import { parseSpecs } from '../../src/spec/load.ts';
import type { Run, RunState, Step } from '../../src/model/run.ts';
import type { Store } from '../../src/store/index.ts';
import { sampleRun } from '../store/samples.ts';
import { createRandom, type Random } from '../support/random.ts';
import { automationRuns, fillAutomation, PREVIEW_SPEC, TRIGGERS } from './showcase-automation.ts';
import { buildLog, failingLog } from './showcase-logs.ts';
import { fillPlan } from './showcase-plan.ts';

const MINUTE = 60_000;
const STEPS = ['Install', 'Build', 'Test', 'Deploy'];

/** How a run came to be and to its end: `u` brings back what was deployed before. */
type End = RunState | 'back';

/** How each spec of the showcase stands: its last runs, oldest first, and how long they take. */
const SPECS: {
  name: string;
  repository: string;
  environment: string;
  steps: string[];
  ends: End[];
  usualMs: number;
  /** How many minutes ago the last run was made. */
  ago: number;
}[] = [
  spec('storefront-staging', 'acme/storefront', 'staging', 's s s s s s s s s r', 95_000, 0.8),
  spec('storefront-canary', 'acme/storefront', 'canary', 's s s s s s s s s', 71_000, 12),
  spec(
    'storefront-production',
    'acme/storefront',
    'production',
    's s s s s f u s s s',
    132_000,
    34,
  ),
  spec('checkout-api-staging', 'acme/checkout-api', 'staging', 's s f s s s s s s s', 64_000, 6),
  spec(
    'checkout-api-production',
    'acme/checkout-api',
    'production',
    's s s s s s s s s f',
    71_000,
    12,
  ),
  spec('search-indexer', 'acme/search', 'production', 's s s s s x s s s s', 41_000, 190),
  spec('docs', 'acme/docs', 'pages', 's s s s s s s s s s', 18_000, 55),
  spec('infrastructure', 'acme/infrastructure', 'shared', 's s s f f s s s s b', 205_000, 26),
  spec('mobile-gateway', 'acme/mobile', 'production', '', 50_000, 0),
];

function spec(
  name: string,
  repository: string,
  environment: string,
  ends: string,
  usualMs: number,
  ago: number,
) {
  const names: Record<string, End> = {
    s: 'succeeded',
    u: 'back',
    f: 'failed',
    x: 'superseded',
    r: 'running',
    b: 'blocked',
  };
  const list = ends.split(' ').flatMap((letter) => names[letter] ?? []);
  return { name, repository, environment, steps: STEPS, ends: list, usualMs, ago };
}

const COMMITS = [
  ['Show delivery times on the product page', 'lena-k'],
  ['Retry payment webhooks with backoff', 'samirb'],
  ['Upgrade to Node 24', 'lena-k'],
  ['Cache category pages at the edge', 'mwangi'],
  ['Fix rounding of VAT for bundles', 'samirb'],
  ['Remove the old cart service', 'ines-r'],
  ['Add structured data to product pages', 'mwangi'],
  ['Speed up the search index by batching writes', 'ines-r'],
  ['Translate checkout errors into Polish', 'lena-k'],
  ['Drop unused columns from orders', 'samirb'],
  ['Rotate the signing keys each quarter', 'ines-r'],
  ['Make images lazy below the fold', 'mwangi'],
] as const;

/** Fills a store with what a small company's deployments look like at `now`, the same each time but for the ids. */
export async function fillShowcase(store: Store, specs: CatalogState, now: number): Promise<void> {
  const random = createRandom(7);
  const texts = [...SPECS.map(yamlOf), PREVIEW_SPEC];
  const { specs: loaded, problems } = parseSpecs('deployments.yaml', texts.join('---\n'));
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  const planning = await fillPlan(store, now);
  Object.assign(specs, { specs: [...loaded, ...planning], loadedAt: now });
  for (const { text, digest, spec: named, file } of loaded) {
    await store.snapshots.keep({ digest, name: named.name, file, text }, now);
  }
  const history = SPECS.flatMap((one) =>
    one.ends.map((end, index) => {
      const back = one.ends.length - 1 - index;
      const at = now - (one.ago + back * back * 41 + back * 97) * MINUTE;
      const digest = loaded.find((entry) => entry.spec.name === one.name)?.digest ?? '';
      return {
        at,
        add: async () => await addRun(store, random, { one, end, at, index, digest }),
      };
    }),
  );
  const coming = [...history, ...automationRuns(store, now)].sort((a, b) => a.at - b.at);
  for (const { add } of coming) await add();
  const audited = [
    ['run.retry', '01k9checkoutapi', 'made run 01k9checkoutapi2', 190],
    ['spec.deploy', 'storefront-production', 'v2026.11.4 by hand', 64],
    ['spec.pause', 'infrastructure', 'Waiting for the maintenance window of the database', 31],
  ] as const;
  for (const [action, subject, detail, ago] of audited) {
    const origin = 'dashboard from 198.51.100.24';
    const entry = { actor: 'ines-r', action, subject, detail, origin };
    await store.audit.record({ at: now - ago * MINUTE, ...entry });
  }
  await store.pauses.add(pausedSince(now - 31 * MINUTE));
  await fillAutomation(store, now);
}

function yamlOf({ name, repository, environment, steps }: (typeof SPECS)[number]): string {
  return `name: ${name}
repository: ${repository}
environment: ${environment}
${TRIGGERS[name] ?? "on:\n  push:\n    branches: [main]\n    paths: ['src/**', 'package.json', 'docs/**', '!**/*.md']"}
steps:
${steps.map((step) => `  - name: ${step}\n    run: make ${step.toLowerCase()}`).join('\n')}
`;
}

async function addRun(
  store: Store,
  random: Random,
  {
    one,
    end,
    at,
    index,
    digest,
  }: { one: (typeof SPECS)[number]; end: End; at: number; index: number; digest: string },
): Promise<void> {
  const state = end === 'back' ? 'succeeded' : end;
  const id = `01k${at.toString(36)}${one.name.replaceAll('-', '').slice(0, 6)}${index}`;
  const target = end === 'back' ? await deployedBefore(store, one.name) : undefined;
  const sha =
    target?.sha ?? Array.from({ length: 40 }, () => random.int(0, 15).toString(16)).join('');
  const [title, author] = COMMITS[(index * 5 + one.name.length) % COMMITS.length] ?? COMMITS[0];
  const delivery = target?.delivery ?? uuid(random);
  if (target === undefined) {
    await addDelivery(store, random, { one, at, sha, title, author, delivery, run: id });
  } else {
    const detail = `made run ${id}: Rollback to ${sha.slice(0, 7)}: ${WHY_BACK} (run ${target.id})`;
    const row = { action: 'run.rollback', subject: target.id, detail };
    await store.audit.record({ at, actor: 'ines-r', ...row });
  }
  const startedAt = state === 'blocked' || state === 'superseded' ? undefined : at + 1800;
  const durations = STEPS.map(
    (_, step) => one.usualMs * ([0.2, 0.35, 0.3, 0.1][step] ?? 0) * (0.85 + random.next() * 0.3),
  );
  const checkout = 1200 + random.int(0, 900);
  const fails = state === 'failed' ? 2 : undefined;
  const isOver = state === 'succeeded' || state === 'failed';
  const steps = layOut(startedAt ?? at, checkout, durations, state, fails);
  const finishedAt = isOver
    ? Math.max(...steps.map((step) => step.finishedAt ?? 0)) + 200
    : state === 'superseded'
      ? at + 9000
      : undefined;
  const run = sampleRun(id, {
    spec: one.name,
    specDigest: digest,
    repository: one.repository,
    environment: one.environment,
    lane: `${one.name}-${one.environment}`,
    sha,
    delivery,
    cause: target === undefined ? 'event' : 'rollback',
    state,
    reason:
      state === 'blocked' ? pauseReason(pausedSince(at - 5 * MINUTE)) : (REASONS[state] ?? ''),
    fault: state === 'failed' ? 'step' : undefined,
    attempts: startedAt === undefined ? 0 : 1,
    createdAt: at,
    startedAt,
    finishedAt,
    outputs:
      state === 'succeeded'
        ? { url: `https://${one.name}.acme.example`, version: `2026.11.${index}` }
        : {},
  });
  const stored = await store.runs.insert(run, STEPS);
  if (target !== undefined) await store.runs.setAskedBy(id, 'ines-r');
  for (const step of steps) await store.steps.update(id, step);
  const log = state === 'failed' ? failingLog : buildLog;
  const lines = steps.filter(({ startedAt: begun }) => begun !== undefined);
  await store.logs.append(id, log(sha, lines, startedAt ?? at));
  await addCallbacks(
    store,
    run,
    at,
    finishedAt,
    one.name === 'checkout-api-production' && state === 'failed',
  );
  if (state === 'succeeded' && stored !== undefined) {
    await store.environments.record(stored, finishedAt ?? at);
  }
}

/** The newest but one: the newest is what is to be undone. */
async function deployedBefore(store: Store, spec: string): Promise<Run | undefined> {
  const page = { limit: 2, before: undefined };
  return (await store.runs.list(page, { spec, state: 'succeeded' })).items[1];
}

const WHY_BACK = 'prices without VAT are shown to one customer in ten';

const pausedSince = (since: number): Pause => ({
  kind: 'spec',
  name: 'infrastructure',
  since,
  by: 'ines-r',
  reason: 'Waiting for the maintenance window of the database',
});

const REASONS: Partial<Record<RunState, string>> = {
  succeeded: 'Deployed',
  failed: 'Step Test failed with exit code 1',
  running: 'Running',
  superseded: 'Superseded by a newer run',
};

function layOut(
  startedAt: number,
  checkout: number,
  durations: readonly number[],
  state: RunState,
  fails: number | undefined,
): Step[] {
  let at = startedAt + checkout;
  return STEPS.map((name, index) => {
    const duration = durations[index] ?? 0;
    const open = { index, name, attempts: 0, exitCode: undefined, reason: '' };
    const isBegun =
      state === 'succeeded' ||
      (state === 'running' && index <= 1) ||
      (fails !== undefined && index <= fails);
    if (!isBegun) {
      const left = state === 'failed' || state === 'superseded' ? 'skipped' : 'pending';
      return { ...open, state: left, startedAt: undefined, finishedAt: undefined };
    }
    const begun = at;
    at += duration;
    if (state === 'running' && index === 1) {
      return { ...open, attempts: 1, state: 'running', startedAt: begun, finishedAt: undefined };
    }
    const hasFailed = index === fails;
    return {
      ...open,
      attempts: 1,
      state: hasFailed ? 'failed' : 'succeeded',
      exitCode: hasFailed ? 1 : 0,
      reason: hasFailed ? 'exit code 1' : '',
      startedAt: begun,
      finishedAt: begun + duration,
    };
  });
}

async function addDelivery(
  store: Store,
  random: Random,
  {
    one,
    at,
    sha,
    title,
    author,
    delivery,
    run,
  }: {
    one: (typeof SPECS)[number];
    at: number;
    sha: string;
    title: string;
    author: string;
    delivery: string;
    run: string;
  },
): Promise<void> {
  const commit = {
    id: sha,
    message: `${title}\n\nReviewed-by: the team`,
    timestamp: new Date(at - random.int(2, 40) * MINUTE).toISOString(),
    author: { name: author, username: author },
    added: [],
    removed: [],
    modified: ['src/index.ts', 'package.json', 'docs/upgrading.md', '.github/labeler.yml'],
  };
  const payload = {
    ref: 'refs/heads/main',
    before: '1'.repeat(40),
    after: sha,
    repository: { full_name: one.repository },
    pusher: { name: author },
    commits: [commit],
    head_commit: commit,
  };
  await store.accept({
    id: delivery,
    event: 'push',
    action: undefined,
    repository: one.repository,
    payload: JSON.stringify(payload),
    receivedAt: at - 400,
  });
  const others = SPECS.filter(
    ({ repository, name }) => repository === one.repository && name !== one.name,
  );
  await store.inbox.close(
    delivery,
    'processed',
    {
      summary: `Made 1 run: ${one.name}`,
      specs: [
        {
          spec: one.name,
          run,
          verdict: {
            matched: true,
            reasons: [
              {
                condition: 'repository',
                held: true,
                detail: `${one.repository} is the repository of the spec`,
              },
              { condition: 'on.push.branches', held: true, detail: 'main matches main' },
              { condition: 'on.push.paths', held: true, detail: 'src/index.ts matches src/**' },
            ],
          },
        },
        ...others.map(({ name }) => ({
          spec: name,
          run: undefined,
          verdict: {
            matched: false,
            reasons: [
              {
                condition: 'repository',
                held: true,
                detail: `${one.repository} is the repository of the spec`,
              },
              {
                condition: 'on.push.branches',
                held: false,
                detail: 'main matches none of release/**',
              },
            ],
          },
        })),
      ],
    },
    at,
  );
}

async function addCallbacks(
  store: Store,
  run: Omit<Run, 'sequence'>,
  at: number,
  finishedAt: number | undefined,
  isDead: boolean,
): Promise<void> {
  const status = (state: string, description: string) => ({
    kind: 'status',
    repository: run.repository,
    sha: run.sha,
    context: `mainsheet/${run.spec}`,
    state,
    description,
    targetUrl: undefined,
  });
  const target = `status:${run.repository}:${run.sha}:${run.spec}`;
  await store.outbox.add(run.id, [{ target, callback: status('pending', run.reason) }], at);
  if (finishedAt === undefined) return;
  const final = run.state === 'succeeded' ? 'success' : 'failure';
  await store.outbox.add(run.id, [{ target, callback: status(final, run.reason) }], finishedAt);
  const entries = await store.outbox.ofRun(run.id);
  for (const [index, { id }] of entries.entries()) {
    const isLast = index === entries.length - 1;
    await store.outbox.finish(
      id,
      isDead && isLast ? 'dead' : 'sent',
      (isLast ? finishedAt : at) + 640,
      isDead && isLast ? 'GitHub answered 403: Resource not accessible by integration' : undefined,
      undefined,
      isDead && isLast
        ? undefined
        : {
            status: 201,
            id: String(31_415_926 + id),
            url: `https://api.github.com/repos/${run.repository}/statuses/${run.sha}`,
          },
    );
  }
}

function uuid(random: Random): string {
  const hex = Array.from({ length: 32 }, () => random.int(0, 15).toString(16)).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
