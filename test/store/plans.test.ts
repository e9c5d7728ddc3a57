import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { planKey } from '../../src/store/plans.ts';
import { bothEngines } from '../support/engines.ts';
import { samplePull } from './samples.ts';

for (const [engine, open] of bothEngines()) {
  describe(`plans on ${engine}`, () => {
    test('a pull request is claimed once, and keeps its id', async (t) => {
      const { plans } = await open(t);
      assert.equal(await plans.note('p1', samplePull({ changedAt: 10 }), 1), 'p1');
      const claimed = await plans.claim(1, 100);
      assert.deepEqual([claimed?.id, claimed?.pull.number], ['p1', 12]);
      assert.equal(await plans.claim(1, 100), undefined);
      assert.ok(claimed && (await plans.finish(claimed)));
      assert.equal(
        await plans.note('p2', samplePull({ changedAt: 20, repository: 'acme/shop' }), 2),
        'p1',
      );
    });

    test('an event that is older than what is known changes nothing', async (t) => {
      const { plans } = await open(t);
      await plans.note('p1', samplePull({ changedAt: 10, isReady: false }), 1);
      assert.equal(await plans.note('p2', samplePull({ changedAt: 9 }), 2), undefined);
      assert.equal(await plans.claim(2, 100), undefined);
    });

    test('what is told of while its plan is made ends that claim, and is due again', async (t) => {
      const { plans } = await open(t);
      await plans.note('p1', samplePull({ changedAt: 10 }), 1);
      const old = await plans.claim(1, 100);
      await plans.note('p2', samplePull({ changedAt: 11, head: 'b'.repeat(40) }), 2);
      assert.ok(old);
      assert.equal(await plans.renew(old, 200), false);
      assert.equal(await plans.finish(old), false);
      assert.equal((await plans.claim(2, 100))?.pull.head, 'b'.repeat(40));
    });

    test('a claim whose process died is free after its lease, and one that was postponed at its time', async (t) => {
      const { plans } = await open(t);
      await plans.note('p1', samplePull({ changedAt: 10 }), 1);
      assert.ok(await plans.claim(1, 100));
      const again = await plans.claim(101, 100);
      assert.ok(again && (await plans.postpone(again, 500)));
      assert.equal(await plans.claim(499, 100), undefined);
      assert.equal((await plans.claim(500, 100))?.failures, 1);
    });

    test('a plan that is old goes with its callbacks and what GitHub has of it, one that is due stays', async (t) => {
      const { plans, outbox, retention } = await open(t);
      await plans.note('p1', samplePull({ changedAt: 10 }), 1);
      const callback = { kind: 'plan-comment' };
      await outbox.setNumber('plan-comment:p1', planKey('p1'), 5);
      await outbox.add(planKey('p1'), [{ target: 't', callback, account: 'acme' }], 1);
      assert.equal(await retention.plans(100, 10), 0);
      const claimed = await plans.claim(1, 10);
      assert.ok(claimed && (await plans.finish(claimed)));
      assert.equal(await retention.plans(1, 10), 0);
      assert.equal(await retention.plans(2, 10), 1);
      assert.deepEqual(await outbox.ofRun(planKey('p1')), []);
      assert.equal(await outbox.number('plan-comment:p1'), undefined);
    });
  });
}
