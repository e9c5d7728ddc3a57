import { scheduleEventName } from '../../src/model/schedule.ts';
import { chainEventName, type ChainPayload } from '../../src/model/chain.ts';
import { hookEventName, type DynamicHook, type Hook } from '../../src/model/hook.ts';
import { teardownEventName } from '../../src/model/preview.ts';
import type { NewRun, Run } from '../../src/model/run.ts';
import { parseSpecs } from '../../src/spec/load.ts';
import type { Store } from '../../src/store/index.ts';
import { sampleDelivery, sampleRun } from '../store/samples.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** What starts the specs of the showcase that a push alone does not start. */
export const TRIGGERS: Record<string, string> = {
  'storefront-canary': `on:
  deployment: { spec: storefront-staging }
gates:
  - approve: { from: [lena-k, samirb], count: 1 }`,
  'storefront-production': `on:
  deployment: { spec: storefront-canary, soak: 30m }
gates:
  - window: { allow: ["Mon-Fri 09:00-16:00"], timezone: Europe/Berlin }`,
  'checkout-api-production': `on:
  deployment: { spec: checkout-api-staging, soak: 1h }`,
  'search-indexer': `on:
  push: { branches: [main] }
  schedule:
    - { cron: "0 6 * * 1-5", timezone: Europe/Berlin }
    - { cron: "30 2 * * 0", missed: skip }
  hook: { id: grafana-alerts }`,
  docs: `on:
  push: { branches: [main] }
batch: { window: 10m, max: 50 }`,
  'mobile-gateway': `on:
  push: { branches: [main] }
  hook: { id: registry }`,
};

export const PREVIEW_SPEC = `name: storefront-preview
repository: acme/storefront
on:
  pull_request: { branches: [main] }
steps:
  - run: make preview
teardown:
  - run: make unpreview
`;

/** The id of one that was made through the API. */
export const MADE_HOOK = '3f9d0c51b7e24a8896d1e0f5a2c47b13';

/** The hooks of the showcase. */
export function showcaseHooks(): Hook[] {
  const { hooks } = parseSpecs(
    'hooks.yaml',
    `kind: hook
id: registry
sender: { hmac: { header: X-Signature, prefix: "sha256=" } }
secrets: [REGISTRY_SECRET]
extract:
  tag: { json: $.push_data.tag, type: string, required: true }
  image: { json: $.repository.name, type: string }
if: "!inputs.tag.startsWith('dev-')"
dedupe: body.id
---
kind: hook
id: grafana-alerts
sender: bearer
secrets: [GRAFANA_TOKEN]
extract:
  status: { json: $.status, type: string }
`,
  );
  return hooks.map(({ hook }) => hook);
}

/** Something that comes to the store at a time, in milliseconds. */
interface Coming {
  at: number;
  add: () => Promise<unknown>;
}

/** The runs that chains, batches, schedules and pull requests have made. */
export function automationRuns(store: Store, now: number): Coming[] {
  const add = async (id: string, more: Partial<NewRun>) =>
    await store.runs.insert(sampleRun(id, { lane: id, delivery: `of ${id}`, ...more }), ['Deploy']);
  const succeeded = async (id: string, tookMs: number, more: Partial<NewRun>) => {
    const startedAt = (more.createdAt ?? 0) + 900;
    const finishedAt = startedAt + tookMs;
    await add(id, { ...more, state: 'succeeded', startedAt, finishedAt });
    const times = { startedAt: startedAt + 1400, finishedAt: finishedAt - 300 };
    const step = { index: 0, name: 'Deploy', attempts: 1, exitCode: 0, reason: '' };
    await store.steps.update(id, { ...step, state: 'succeeded', ...times });
  };

  const monday = Date.UTC(2026, 10, 30, 5);
  const due = new Date(monday - Math.ceil((monday - now) / (7 * 24 * HOUR)) * 7 * 24 * HOUR);
  return [
    { at: now - 9 * MINUTE, add: async () => await promote(store, add, now - 9 * MINUTE) },
    { at: now - 3 * HOUR, add: async () => await requestHook(store, now) },
    { at: now - 4 * MINUTE, add: async () => await gather(store, add, now) },
    {
      at: due.getTime(),
      add: async () =>
        await succeeded('01kscheduled', 41_000, {
          spec: 'search-indexer',
          repository: 'acme/search',
          sha: '4be1f20'.padEnd(40, '7'),
          event: 'schedule',
          delivery: `${scheduleEventName('search-indexer')}:${due.toISOString()}`,
          createdAt: due.getTime(),
        }),
    },
    ...PREVIEWS.map(({ number, ago, sha }) => ({
      at: now - ago * HOUR,
      add: async () =>
        await succeeded(`01kpreview${number}`, 60_000, {
          spec: 'storefront-preview',
          environment: `preview-${number}`,
          sha: sha.padEnd(40, '0'),
          ref: `refs/pull/${number}/head`,
          branch: undefined,
          event: 'pull_request',
          createdAt: now - ago * HOUR,
          outputs: { environment_url: `https://pr-${number}.storefront.acme.example` },
        }),
    })),
  ];
}

type Add = (id: string, more: Partial<NewRun>) => Promise<unknown>;

async function promote(store: Store, add: Add, at: number): Promise<void> {
  const staging = await newest(store, 'storefront-staging');
  const event = chainEventName('storefront-canary');
  const delivery = `${event}:${staging.id}`;
  await store.chains.add([{ run: staging.id, spec: 'storefront-canary', dueAt: at }]);
  await store.chains.end(
    { run: staging.id, spec: 'storefront-canary' },
    { state: 'started', delivery },
  );
  const { id: run, spec, environment, repository, ref, sha } = staging;
  const payload: ChainPayload = {
    spec: 'storefront-canary',
    deployment: { run, spec, environment, state: 'succeeded', repository, ref, sha },
  };
  await store.inbox.store([
    sampleDelivery(delivery, { event, receivedAt: at, payload: JSON.stringify(payload) }),
  ]);
  await store.inbox.close(
    delivery,
    'processed',
    {
      summary: 'Made 1 run: storefront-canary',
      specs: [
        {
          spec: 'storefront-canary',
          run: '01kpromotion',
          verdict: {
            matched: true,
            reasons: [
              { condition: 'on.deployment', held: true, detail: 'storefront-staging succeeded' },
            ],
          },
        },
      ],
    },
    at,
  );
  await add('01kpromotion', {
    spec: 'storefront-canary',
    environment: 'canary',
    lane: 'storefront-canary-canary',
    sha: staging.sha,
    event: 'deployment',
    delivery,
    state: 'blocked',
    reason: 'Waits for 1 approval by lena-k, samirb',
    createdAt: at,
  });
}

async function gather(store: Store, add: Add, now: number): Promise<void> {
  await add('01kgathers', {
    spec: 'docs',
    repository: 'acme/docs',
    environment: 'pages',
    sha: '5d90c3e'.padEnd(40, '2'),
    state: 'blocked',
    reason: 'Gathers events: 3 so far',
    createdAt: now - 4 * MINUTE,
    batch: '01kgathers',
  });
  const closesAt = now + 6 * MINUTE;
  const batch = { run: '01kgathers', spec: 'docs', lane: '01kgathers', key: '', closesAt };
  await store.batches.begin(batch);
  for (const one of ['a', 'b', 'c']) await store.batches.add(batch.run, batch.spec, one, 900);
}

/** Hours since each was deployed. */
const PREVIEWS = [
  { number: 412, ago: 2, state: 'live', sha: 'a1b2c3d' },
  { number: 409, ago: 26, state: 'live', sha: '77e0f19' },
  { number: 398, ago: 140, state: 'ending', sha: 'c0ffee1' },
] as const;

async function newest(store: Store, spec: string): Promise<Run> {
  const page = { limit: 1, before: undefined };
  const { items } = await store.runs.list(page, { spec, state: 'succeeded' });
  return items[0] as Run;
}

/** What waits in chains and for the end of previews, and hooks. */
export async function fillAutomation(store: Store, now: number): Promise<void> {
  const canary = await newest(store, 'storefront-canary');
  await store.chains.add([
    { run: canary.id, spec: 'storefront-production', dueAt: now + 18 * MINUTE },
  ]);
  for (const { number, ago, state, sha } of PREVIEWS) {
    const event = teardownEventName('storefront-preview');
    const delivery = `${event}:01kpreview${number}`;
    if (state === 'ending')
      await store.accept(sampleDelivery(delivery, { event, receivedAt: now }));
    await store.previews.note({
      spec: 'storefront-preview',
      repository: 'acme/storefront',
      number,
      state,
      runId: `01kpreview${number}`,
      sha: sha.padEnd(40, '0'),
      fork: number === 409,
      closed: state !== 'live',
      changedAt: now - ago * HOUR,
      notedAt: now - ago * HOUR,
      dueAt: state === 'live' ? now + (168 - ago) * HOUR : now - MINUTE,
      reason: state === 'live' ? 'its time is over' : 'the pull request was closed',
      delivery: state === 'live' ? undefined : delivery,
    });
  }
  await fillHooks(store, now);
  await store.audit.record({
    at: now - 12 * MINUTE,
    actor: 'samirb',
    origin: 'dashboard from 198.51.100.31',
    action: 'run.approve',
    subject: '01k9storefrontcanary',
    detail: 'looks good on staging',
  });
  await store.audit.record({
    at: now - 5 * MINUTE,
    actor: 'admin',
    action: 'hook.rotate',
    subject: MADE_HOOK,
    detail: 'the secrets before count for 24 h more',
    origin: 'command line from 198.51.100.7',
  });
}

async function fillHooks(store: Store, now: number): Promise<void> {
  const repositories = ['storefront', 'checkout-api', 'search', 'docs', 'infrastructure'];
  await store.installations.note(
    {
      kind: 'installation',
      change: 'added',
      installation: 1,
      repositories: repositories.map((name) => `acme/${name}`),
    },
    now,
  );
  const hook = (more: Partial<DynamicHook>): DynamicHook => ({
    id: '',
    hook: 'registry',
    owner: 'acme/mobile',
    specs: ['mobile-gateway'],
    inputs: {},
    secrets: [{ id: '91c2a7d40be35f68', createdAt: now - 20 * 24 * HOUR, until: null }],
    createdAt: now - 20 * 24 * HOUR,
    createdBy: 'ines-r',
    expiresAt: now + 10 * 24 * HOUR,
    ...more,
  });
  await store.hooks.add(hook({ id: MADE_HOOK, inputs: { image: 'gateway' } }));
  await store.hooks.add(
    hook({
      id: 'b05e7719ac3d4f02a41f98d3607ce5d8',
      owner: 'the night shift',
      specs: [],
      secrets: [
        { id: '0a1f3b5c7d9e2468', createdAt: now - 9 * 24 * HOUR, until: now + 20 * HOUR },
        { id: '5566778899aabbcc', createdAt: now - 4 * HOUR, until: null },
      ],
      createdAt: now - 9 * 24 * HOUR,
      expiresAt: now + 21 * 24 * HOUR,
    }),
  );
}

/** A request three hours ago. */
async function requestHook(store: Store, now: number): Promise<void> {
  const event = hookEventName('registry');
  await store.inbox.store([
    sampleDelivery('registry.4711', {
      event,
      repository: undefined,
      queue: event,
      receivedAt: now - 3 * HOUR,
      payload: JSON.stringify({ hook: 'registry', type: null, inputs: { tag: '1.8.2' }, body: {} }),
    }),
  ]);
  await store.inbox.close(
    'registry.4711',
    'processed',
    {
      summary: 'No deployment spec matches',
      specs: [
        {
          spec: 'mobile-gateway',
          run: undefined,
          verdict: {
            matched: false,
            reasons: [
              { condition: 'on.hook', held: true, detail: 'the hook is registry' },
              { condition: 'on.hook.if', held: false, detail: 'inputs.tag is "1.8.2"' },
            ],
          },
        },
      ],
    },
    now - 3 * HOUR,
  );
}
