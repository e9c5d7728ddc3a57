import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deedOf } from '../../../src/http/pages/components/deed.ts';
import { eventName } from '../../../src/http/pages/components/event-name.ts';
import { sampleRun } from '../../store/samples.ts';
import { asAdmin } from '../../support/admin.ts';
import { startHttp } from '../fixture.ts';

test('what was done is called in words; an action of another version as it is', () => {
  for (const [action, words] of [
    ['run.retry', 'retried run'],
    ['run.rollback', 'rolled back run'],
    ['run.approve.refused', 'tried to approve run'],
    ['comment.cancel', 'cancelled run'],
    ['comment.cancel.refused', 'tried to cancel'],
    ['outbox.retry', 'sent again callback'],
    ['hook.rotate', 'changed the secret of hook'],
    ['run.juggle', 'run.juggle'],
  ] as const) {
    assert.equal(deedOf(action), words);
  }
});

test('what a delivery tells of is called in words', () => {
  for (const [event, words] of [
    ['push', 'Push'],
    ['workflow_run', 'Workflow run'],
    ['push@work', 'Push on work'],
    ['hook:registry', 'Hook registry'],
    ['schedule:nightly', 'Schedule of nightly'],
    ['deployment:canary', 'Chain to canary'],
    ['teardown:preview', 'Teardown of preview'],
  ] as const) {
    assert.equal(eventName(event), words);
  }
});

test('pages name no key and no code where people read', async (t) => {
  const { url, store } = await startHttp(t);
  const read = async (path: string) =>
    (await (await asAdmin(`${url}${path}`)).text()).replaceAll(/<[^>]*>/g, ' ');
  const run = sampleRun('r1', {
    sha: 'c0ffee1'.padEnd(40, '0'),
    state: 'succeeded',
    cause: 'retry',
  });
  await store.runs.insert({ ...run, startedAt: 1, finishedAt: 2 }, ['Deploy']);
  const status = { kind: 'status', state: 'success' };
  const check = { kind: 'plan-check', repository: 'acme/shop', sha: 'd00d1e5'.padEnd(40, '0') };
  await store.outbox.add('r1', [{ target: 'status:acme:key', callback: status }], 1);
  await store.outbox.add('plan:1', [{ target: 'plan-check:key', callback: check }], 1);
  const told = { at: 1, actor: 'ines', action: 'run.retry', subject: 'r1', detail: '' };
  await store.audit.record(told);

  const callbacks = await read('/callbacks');
  assert.match(
    callbacks,
    /Commit status\s+success\s+storefront\s+production\s+acme\/storefront\s+c0ffee1/,
  );
  assert.match(callbacks, /acme\/shop\s+d00d1e5/);
  assert.doesNotMatch(callbacks, /:key/);
  const activity = await (await asAdmin(`${url}/activity`)).text();
  assert.match(activity, /<option value="run.retry">Retried run</);
  assert.match(activity, /action=run.retry">retried run</);
  // No delivery tells of its commit, and who wrote that has not retried it.
  assert.match(await read('/runs'), /Retry of c0ffee1/);
  const page = await (await asAdmin(`${url}/runs/r1`)).text();
  assert.match(
    page,
    /id="step-0-head">.*?title="Succeeded"/s,
    'a run that went well was checked out',
  );
});
