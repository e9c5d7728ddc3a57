import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Run } from '../../src/model/run.ts';
import type { AnyCallback } from '../../src/callbacks/index.ts';
import { createRender } from '../../src/runs/render-callback.ts';
import type { OutboxEntry } from '../../src/store/outbox.ts';
import type { Store } from '../../src/store/index.ts';
import type { AnyNotify } from '../../src/spec/notify/index.ts';
import { sampleRun } from '../store/samples.ts';
import { sampleLoaded } from './samples.ts';

const RUN: Run = {
  ...sampleRun('r1', {
    outputs: { version: '1.2', url: 'https://x:***@host' },
    maskedOutputs: ['url'],
  }),
  sequence: 1,
};

/** The message of the one notification of a spec. */
async function rendered(notify: AnyNotify) {
  const { spec } = sampleLoaded({ notify: [notify], secrets: ['HOOK'] });
  const store = { inbox: { get: async () => undefined } } as unknown as Store;
  const render = createRender({
    store,
    specOf: async () => spec,
    secret: () => 'https://x:hunter2@host',
    publicUrl: undefined,
  });
  const entry: Partial<OutboxEntry> = {
    id: 1,
    run: 'r1',
    callback: { kind: notify.kind, notify: 0, run: RUN } as AnyCallback,
    createdAt: 1000,
  };
  return await render(entry as OutboxEntry);
}

const dispatch = (value: string): AnyNotify => ({
  kind: 'dispatch',
  on: ['succeeded'],
  repository: 'acme/hub',
  eventType: 'deployed',
  payload: { value },
});

for (const value of [
  '${{ outputs.url }}',
  '${{ run.outputs.url }}',
  '${{ outputs }}',
  '${{ int(outputs.url) }}',
  "${{ outputs.url == 'a' || true }}",
]) {
  test(`a dispatch with ${value} is refused when a secret is in that output`, async () => {
    await assert.rejects(rendered(dispatch(value)), {
      name: 'TerminalError',
      code: 'output-masked',
      message: 'not sent: there is a secret in the output url',
    });
  });
}

test('a webhook whose URL has such an output is refused', async () => {
  const notify: AnyNotify = {
    kind: 'webhook',
    on: ['succeeded'],
    url: '${{ outputs.url }}/done',
    secret: undefined,
  };
  await assert.rejects(rendered(notify), { code: 'output-masked' });
});

test('other outputs are sent, and a secret that the spec names', async () => {
  const message = await rendered(dispatch('${{ outputs.version }} ${{ secrets.HOOK }}'));
  assert.partialDeepStrictEqual(message, { payload: { value: '1.2 https://x:hunter2@host' } });
});
