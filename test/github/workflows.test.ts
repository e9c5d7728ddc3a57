import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorkflows } from '../../src/github/workflows.ts';
import { startStandIn } from './stand-in.ts';
import { connect, createTestClock } from './support.ts';

test('what is written waits for leave, and after a rate limit for leave again', async (t) => {
  const server = await startStandIn(t, () =>
    server.requests.length > 1
      ? { status: 202, body: {} }
      : { status: 429, headers: { 'retry-after': '1' }, body: { message: 'rate limit' } },
  );
  const said: string[] = [];
  const leaves = [false, true, false, true];
  const budget = {
    take: async (account: string) => {
      said.push(`asked for ${account}`);
      const grant = { sent: () => void said.push('sent'), failed: () => void said.push('failed') };
      return leaves.shift() === true ? grant : undefined;
    },
  };
  const clock = { ...createTestClock(), sleep: async () => {} };
  const { github } = connect(server.url, { clock });
  const { signal } = new AbortController();
  const workflows = createWorkflows({ github, budget, clock }, 'Acme/infra', signal);
  await workflows.cancel(7);
  const ask = 'asked for acme';
  assert.deepEqual(said, [ask, ask, 'failed', ask, ask, 'sent']);
});
