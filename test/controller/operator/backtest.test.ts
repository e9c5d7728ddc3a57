import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createBacktest } from '../../../src/controller/operator/backtest.ts';
import type { DeliveryOutcome } from '../../../src/model/delivery.ts';
import { parseSpecs } from '../../../src/spec/load.ts';
import { pushPayload } from '../../commands/payloads.ts';
import type { Store } from '../../../src/store/index.ts';
import { sampleDelivery } from '../../store/samples.ts';
import { bothEngines } from '../../support/engines.ts';

const DAY = 86_400_000;

const spec = (name: string, filter: string) => `
name: ${name}
repository: acme/storefront
on: { push: { ${filter} } }
steps: [{ run: 'true' }]
`;
const load = (...texts: string[]) => parseSpecs('specs.yaml', texts.join('---')).specs;

function decided(name: string, matched: boolean): DeliveryOutcome {
  return {
    summary: '',
    specs: [{ spec: name, verdict: { matched, reasons: [] }, run: matched ? 'r1' : undefined }],
  };
}

function setUp(store: Store) {
  let count = 0;
  return {
    store,
    async came(outcome: DeliveryOutcome, options: { branch?: string; at?: number; forced?: true }) {
      const { branch = 'main', at = 10 * DAY } = options;
      const id = `d${++count}`;
      const payload = JSON.stringify({
        ...pushPayload({ branch }),
        forced: options.forced === true,
      });
      await store.accept(sampleDelivery(id, { payload, receivedAt: at }));
      await store.inbox.close(id, 'processed', outcome, at);
      return id;
    },
    backtest: (texts: string[], since = 0) =>
      createBacktest({ store, catalog: { hook: () => undefined } })(
        load(...texts),
        since,
        new AbortController().signal,
      ),
  };
}

for (const [engine, open] of bothEngines()) {
  describe(`backtest on ${engine}`, () => {
    test('what new specs would have deployed, and what they would not, is told with the condition', async (t) => {
      const { came, backtest } = setUp(await open(t));
      const onMain = await came(decided('shop', true), { branch: 'main' });
      const onNext = await came(decided('shop', false), { branch: 'next' });
      const { differences, ...counts } = await backtest([spec('shop', 'branches: [next]')]);
      assert.deepEqual(counts, { deliveries: 2, deployed: 1, wouldDeploy: 1, total: 2 });
      assert.deepEqual(
        differences.map(({ delivery, did, would, run, reasons }) => [
          delivery,
          did,
          would,
          run,
          reasons.find(({ held }) => !held)?.condition,
        ]),
        [
          [onNext, false, true, undefined, undefined],
          [onMain, true, false, 'r1', 'on.push.branches'],
        ],
      );
    });

    test('a condition is looked at where it decides', async (t) => {
      const { came, backtest } = setUp(await open(t));
      await came(decided('shop', true), { branch: 'next' });
      await came(decided('shop', true), { branch: 'main' });
      await came(decided('shop', false), { branch: 'main' });
      const { differences } = await backtest([`${spec('shop', 'branches: [main]')}if: 'false'\n`]);
      assert.deepEqual(
        differences.map(({ did, would, reasons }) => [
          did,
          would,
          reasons.filter(({ held }) => !held).map(({ condition }) => condition),
        ]),
        [
          [true, false, ['if']],
          [true, false, ['on.push.branches']],
        ],
      );
    });

    test('the same specs make no difference', async (t) => {
      const { came, backtest } = setUp(await open(t));
      await came(decided('shop', true), { branch: 'main' });
      assert.deepEqual((await backtest([spec('shop', 'branches: [main]')])).differences, []);
    });

    test('a spec that is gone, and one that is new, are differences', async (t) => {
      const { came, backtest } = setUp(await open(t));
      await came(decided('shop', true), {});
      const { differences } = await backtest([spec('store', 'branches: [main]')]);
      assert.deepEqual(
        differences.map(({ spec: name, would, reasons }) => [name, would, reasons[0]?.condition]),
        [
          ['store', true, 'repository'],
          ['shop', false, 'spec'],
        ],
      );
    });

    test('what came before the time, what another delivery had told of, and what failed does not count', async (t) => {
      const { store, came, backtest } = setUp(await open(t));
      await came(decided('shop', false), { at: DAY });
      const told = await came({ summary: '', specs: [] }, {});
      await store.pushes.record({
        repository: 'acme/storefront',
        ref: 'refs/heads/main',
        before: 'b'.repeat(40),
        after: 'a'.repeat(40),
        delivery: told,
        found: false,
        toldBy: 'reconcile-1',
        seenAt: 10 * DAY,
      });
      await store.accept(sampleDelivery('failed', { receivedAt: 10 * DAY }));
      await store.inbox.close('failed', 'failed', { summary: '', specs: [] }, 10 * DAY);
      const { deliveries, differences } = await backtest(
        [spec('shop', 'branches: [main]')],
        5 * DAY,
      );
      assert.equal(deliveries, 0);
      assert.deepEqual(differences, []);
    });

    test('where only git knows all changed files a difference is not certain', async (t) => {
      const { came, backtest } = setUp(await open(t));
      await came(decided('shop', false), { forced: true });
      const { differences } = await backtest([
        spec('shop', 'branches: [main], paths: ["docs/**"]'),
      ]);
      assert.deepEqual(
        differences.map(({ would, certain }) => [would, certain]),
        [[true, false]],
      );
    });

    test('requests to hooks are judged by the hook that is given, else by the one in use', async (t) => {
      const store = await open(t);
      const hook = (condition: string) =>
        parseSpecs(
          'hooks.yaml',
          `kind: hook\nid: alerts\nsender: github\nsecrets: [KEY]\nif: ${condition}\n`,
        ).hooks;
      const payload = { hook: 'alerts', type: null, inputs: {}, body: { status: 'ok' } };
      await store.accept(
        sampleDelivery('alerts.1', {
          event: 'hook:alerts',
          repository: undefined,
          payload: JSON.stringify(payload),
          receivedAt: 10 * DAY,
        }),
      );
      await store.inbox.close('alerts.1', 'processed', decided('shop', false), 10 * DAY);
      const specs = parseSpecs(
        'specs.yaml',
        "name: shop\nrepository: acme/storefront\non: { hook: { id: alerts } }\nsteps: [{ run: 'true' }]\n",
      ).specs;
      const [inUse] = hook('"body.status == \'bad\'"');
      const backtest = createBacktest({ store, catalog: { hook: () => inUse } });
      const { signal } = new AbortController();
      assert.equal((await backtest(specs, 0, signal)).total, 0);
      const given = hook('"body.status == \'ok\'"');
      const { differences } = await backtest(specs, 0, signal, { hooks: given });
      assert.deepEqual(
        differences.map(({ delivery, would }) => [delivery, would]),
        [['alerts.1', true]],
      );
      const others = { hooks: given, only: new Set(['site']) };
      assert.equal((await backtest([], 0, signal, others)).total, 0);
    });

    test('times of schedules, ends of other specs and what was deployed by hand are what they were', async (t) => {
      const store = await open(t);
      const { specs } = parseSpecs(
        'specs.yaml',
        "name: shop\nrepository: acme/storefront\non: { schedule: { cron: '0 6 * * *' }, deployment: { spec: stage } }\nsteps: [{ run: 'true' }]\n",
      );
      const deployment = {
        run: 'r0',
        spec: 'stage',
        state: 'succeeded',
        repository: 'acme/storefront',
        ref: 'refs/heads/main',
        sha: 'a'.repeat(40),
      };
      const time = { schedule: '0 6 * * *', timezone: 'UTC', due: '2026-01-02T06:00:00.000Z' };
      const came = async (event: string, payload: object, repository?: string) => {
        const text = JSON.stringify(payload);
        const of = repository === undefined ? { queue: event } : {};
        await store.accept(sampleDelivery(event, { event, payload: text, repository, ...of }));
        await store.inbox.close(event, 'processed', decided('shop', true), 10 * DAY);
      };
      await came('schedule:shop', { spec: 'shop', ...time });
      await came('deployment:shop', { spec: 'shop', deployment }, 'acme/storefront');
      await came('deploy', { head: 1 }, 'acme/storefront');
      const backtest = createBacktest({ store, catalog: { hook: () => undefined } });
      const { differences, ...counts } = await backtest(specs, 0, new AbortController().signal);
      assert.deepEqual(differences, []);
      assert.deepEqual(counts, { deliveries: 2, deployed: 2, wouldDeploy: 2, total: 0 });
    });

    test('only the newest are looked at when so many are asked for, and none that may not be seen', async (t) => {
      const { store, came } = setUp(await open(t));
      for (let index = 0; index < 5; index += 1) await came(decided('shop', true), {});
      const backtest = createBacktest({ store, catalog: { hook: () => undefined } });
      const { signal } = new AbortController();
      assert.equal((await backtest([], 0, signal, { newest: 2 })).total, 2);
      const seen = await backtest([], 0, signal, { visible: ['acme/other'] });
      assert.deepEqual([seen.deliveries, seen.total], [0, 0]);
    });

    test('more deliveries than are read at once are all looked at', async (t) => {
      const { came, backtest } = setUp(await open(t));
      for (let index = 0; index < 205; index += 1) await came(decided('shop', true), {});
      const { deliveries, deployed, wouldDeploy } = await backtest([
        spec('shop', 'branches: [main]'),
      ]);
      assert.deepEqual([deliveries, deployed, wouldDeploy], [205, 205, 205]);
    });
  });
}
