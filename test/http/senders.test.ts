import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { parseSpecs } from '../../src/spec/load.ts';
import type { Hook } from '../../src/model/hook.ts';
import { ROWS, type Row, type Sample } from '../sources/senders.ts';
import { asAdmin } from '../support/admin.ts';
import { NOW, startHttp, type Fixture } from './fixture.ts';

const BODY = '{"text":"has no id"}';
/** By which senders call a delivery, and which are not signed. */
const ID_HEADERS = [
  'X-GitHub-Delivery',
  'Idempotency-Key',
  'X-Request-UUID',
  'X-Gitea-Delivery',
  'X-Shopify-Webhook-Id',
];

function hookOf({ sender, options }: Row): Hook {
  const { hooks } = parseSpecs('x.yaml', 'kind: hook\nid: a\nsecrets: T\nsender: bearer');
  const [loaded] = hooks;
  assert.ok(loaded);
  const { hook } = loaded;
  return { ...hook, sender, options: { ...hook.options, ...options } };
}

async function post({ url }: Fixture, { headers, body, token }: Sample, from: string) {
  const path = token === undefined ? 'a' : `a/${token}`;
  return await fetch(`${url}/webhooks/v1/hooks/${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-Forwarded-For': from, ...headers },
    body,
  });
}

async function send(fixture: Fixture, sample: Sample, from: string) {
  const response = await post(fixture, sample, from);
  await response.body?.cancel();
  return response.status;
}

async function refusalsOf({ url }: Fixture): Promise<number> {
  const text = await (await asAdmin(`${url}/metrics`)).text();
  const line = /^mainsheet_webhook_rejected_total\{code="bad-signature"\} (\d+)$/m.exec(text);
  return Number(line?.[1]);
}

async function postToGitHub({ url }: Fixture, secret: string, from: string) {
  const body = JSON.stringify({ zen: 'x' });
  const response = await fetch(`${url}/webhooks/v1/github`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'X-GitHub-Event': 'ping',
      'X-GitHub-Delivery': 'd1',
      'X-Hub-Signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
      'X-Forwarded-For': from,
    },
    body,
  });
  await response.body?.cancel();
  return [response.status, response.headers.get('Retry-After')];
}

for (const row of ROWS) {
  const name = [row.sender, row.what ?? ''].join(' ').trim();
  test(`${name}: what fails the check is counted, logged with its reason, held off and not stored`, async (t) => {
    const [secret, other] = row.secrets;
    const fixture = await startHttp(t, {
      hooks: [hookOf(row)],
      hookSecrets: { T: secret },
      trustedProxies: ['127.0.0.1'],
    });
    const wrong = row.make(other, BODY, NOW);
    for (let count = 0; count < 30; count += 1) {
      assert.equal(await send(fixture, wrong, '198.51.100.1'), 401);
    }
    assert.equal(await send(fixture, wrong, '198.51.100.1'), 429);
    assert.equal(await refusalsOf(fixture), 30);
    const logged = fixture.log.filter(({ msg }) => msg === 'webhook refused');
    assert.equal(logged.length, 30);
    assert.partialDeepStrictEqual(logged[0], { hook: 'a', from: '198.51.100.1' });
    assert.match(String(logged[0]?.['error']), /signature|token|secret|password|sign/);
    for (const part of [secret, other]) assert.ok(!JSON.stringify(fixture.log).includes(part));
    assert.equal(await fixture.store.inbox.countPending(), 0);
    // The sender itself, from elsewhere, is taken.
    const right = row.make(secret, BODY, NOW);
    const sendAs = async (id: string) => {
      const ids = Object.fromEntries(ID_HEADERS.map((header) => [header, id]));
      const sample = { ...right, headers: { ...ids, ...right.headers } };
      const response = await post(fixture, sample, '203.0.113.1');
      assert.equal(response.status, 202);
      return (await response.json()) as { delivery: string; duplicate: boolean; copyOf?: string };
    };
    const first = await sendAs('first');
    assert.equal(first.duplicate, false);
    assert.equal(await fixture.store.inbox.countPending(), 1);

    const again = row.signed
      ? 'what is signed counts once, whatever id it comes under'
      : 'a token may come with the same body again';
    await t.test(again, async () => {
      const second = await sendAs('second');
      assert.equal(second.duplicate, row.signed);
      // An id that is signed is the same again.
      const isSameId = right.headers['webhook-id'] !== undefined;
      assert.equal(second.delivery === first.delivery, isSameId);
      assert.equal(second.copyOf, row.signed && !isSameId ? first.delivery : undefined);
      assert.equal(await fixture.store.inbox.countPending(), row.signed ? 1 : 2);
    });
  });
}

test('GitHub’s own route takes nothing from elsewhere where that is set, whatever its signature', async (t) => {
  const fixture = await startHttp(t, {
    secrets: ['right'],
    trustedProxies: ['127.0.0.1'],
    isGitHub: (address) => address === '192.30.252.1',
    onlyFromGitHub: true,
  });
  assert.deepEqual(await postToGitHub(fixture, 'right', '192.30.252.1'), [202, null]);
  assert.deepEqual(await postToGitHub(fixture, 'right', '203.0.113.1'), [403, null]);
  assert.deepEqual(await postToGitHub(fixture, 'right', '192.30.252.1, 203.0.113.1'), [403, null]);
  assert.equal(fixture.log.filter(({ code }) => code === 'address-refused').length, 2);
});

test('GitHub’s own route: what fails the check is counted, logged with its reason, held off and not stored', async (t) => {
  const fixture = await startHttp(t, { secrets: ['right'], trustedProxies: ['127.0.0.1'] });
  const post = (secret: string, from: string) => postToGitHub(fixture, secret, from);
  for (let count = 0; count < 30; count += 1) {
    assert.deepEqual(await post('wrong', '198.51.100.1'), [401, null]);
  }
  assert.deepEqual(await post('right', '198.51.100.1'), [429, '2']);
  assert.equal(await refusalsOf(fixture), 30);
  const logged = fixture.log.filter(({ code }) => code === 'bad-signature');
  assert.equal(logged.length, 30);
  assert.match(JSON.stringify(logged[0]), /198\.51\.100\.1.*the signature does not match/);
  assert.equal(await fixture.store.inbox.countPending(), 0);
  assert.deepEqual(await post('right', '203.0.113.1'), [202, null]);
});
