import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHookRefusals } from '../../src/http/hook-refusals.ts';
import { isoTime } from '../../src/lib/clock.ts';
import { parseSpecs } from '../../src/spec/load.ts';
import { ADMIN_TOKEN } from '../support/admin.ts';
import { NOW, startHttp } from './fixture.ts';
import { logIn, SAME_SITE } from './pages/browser.ts';

const TEXT = `kind: hook
id: registry
sender: bearer
secrets: [TOKEN, NEXT]
extract: { tag: { json: $.tag, required: true } }
if: "inputs.tag != 'dev'"
---
name: gateway
repository: acme/gateway
environment: production
on: { hook: { id: registry } }
steps: [{ run: make }]
---
name: shop
repository: acme/shop
environment: production
on: { hook: { id: registry, do: rollback, if: "inputs.tag == 'bad'" } }
steps: [{ run: make }]
`;

test('a hook says what it takes and starts, what was sent to it last, and what was refused; a request can be tried', async (t) => {
  const { hooks, specs: loaded } = parseSpecs('all.yaml', TEXT);
  const { url, specs, store } = await startHttp(t, {
    hooks: hooks.map(({ hook }) => hook),
    hookSecrets: { TOKEN: 's3cret' },
  });
  specs.specs = loaded;
  const send = async (token: string, id = 'registry') =>
    await fetch(`${url}/webhooks/v1/hooks/${id}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: '{"tag":"v1"}',
    });
  for (const token of ['wrong', 'wrong']) assert.equal((await send(token)).status, 401);
  assert.equal((await send('s3cret', 'other')).status, 404);
  const taken = (await (await send('s3cret')).json()) as { delivery: string };

  const headers = { Authorization: `Bearer ${ADMIN_TOKEN}` };
  const answer = await fetch(`${url}/api/v1/hooks/registry`, { headers });
  const view = (await answer.json()) as { last: { id: string } };
  assert.equal(view.last.id, taken.delivery);
  assert.deepEqual(
    { ...view, last: undefined },
    {
      id: 'registry',
      path: 'webhooks/v1/hooks/registry',
      sender: 'bearer',
      file: 'hooks.yaml',
      line: 1,
      made: null,
      inputs: ['tag'],
      specs: ['gateway', 'shop'],
      secrets: [
        { name: 'TOKEN', set: true, from: null, until: null },
        { name: 'NEXT', set: false, from: null, until: null },
      ],
      last: undefined,
      refused: [{ code: 'bad-signature', count: 2, lastAt: isoTime(NOW) }],
      refusedSince: isoTime(NOW),
    },
  );
  assert.equal((await fetch(`${url}/api/v1/hooks/other`, { headers })).status, 404);

  const cookie = { Cookie: await logIn(url), ...SAME_SITE };
  const tryOut = async (fields: Record<string, string>) => {
    const body = new URLSearchParams(fields);
    const page = await fetch(`${url}/hooks/registry/try`, {
      method: 'POST',
      headers: cookie,
      body,
    });
    return await page.text();
  };
  const right = await tryOut({ body: '{"tag":"v2"}', headers: 'Authorization: Bearer s3cret' });
  assert.match(right, /It would start gateway</);
  assert.match(
    await tryOut({ body: '{"tag":"bad"}' }),
    /It would start gateway and roll back shop</,
  );
  assert.doesNotMatch(right, /would be refused/);
  const dev = await tryOut({ body: '{"tag":"dev"}' });
  assert.match(dev, /It would start nothing/);
  assert.match(dev, /As it is it would be refused/);
  const marked = await tryOut({ body: '{"tag":"</textarea><b>"' });
  assert.match(marked, /It would be refused: /);
  assert.match(marked, /&lt;\/textarea&gt;&lt;b&gt;/);
  const { items } = await store.inbox.list({ limit: 9, before: undefined });
  assert.equal(items.length, 1, 'nothing that was tried is stored');
});

test('refusals are counted for a bounded number of hooks', () => {
  let now = 1;
  const refusals = createHookRefusals({ now: () => now });
  refusals.note('first', 'bad-signature');
  refusals.note('busy', 'bad-signature');
  now = 2;
  for (let index = 0; index < 999; index += 1) {
    refusals.note(`hook${index}`, 'bad-inputs');
    refusals.note('busy', 'bad-inputs');
  }
  assert.deepEqual(refusals.of('first'), []);
  assert.deepEqual(refusals.of('busy'), [
    { code: 'bad-inputs', count: 999, lastAt: 2 },
    { code: 'bad-signature', count: 1, lastAt: 1 },
  ]);
});
