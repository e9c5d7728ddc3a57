import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import { TerminalError } from '../../src/lib/errors.ts';
import { SENDERS, type SenderOptions } from '../../src/model/hook.ts';
import type { BodyCheck, Source } from '../../src/sources/contract.ts';
import { SECRET_HEADERS, SOURCES } from '../../src/sources/index.ts';
import { ROWS, type Row, type Sample } from './senders.ts';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const BODY = '{"id":"e1","text":"☃"}';

const PLAIN: SenderOptions = {
  header: undefined,
  prefix: '',
  algorithm: 'sha256',
  encoding: 'hex',
  signed: '{body}',
  timestamp: undefined,
  toleranceMs: 300_000,
};

function begin(row: Row, secrets: readonly string[], sample: Sample, now = NOW): BodyCheck {
  const header = (name: string) => sample.headers[name.toLowerCase()] ?? '';
  const source = SOURCES[row.sender];
  const request = { header, token: sample.token ?? '' };
  return source.verifier(secrets, { ...PLAIN, ...row.options })(request, now);
}

async function passes(row: Row, secrets: readonly string[], sample: Sample, now = NOW) {
  try {
    return await begin(row, secrets, sample, now).whole(Buffer.from(sample.body));
  } catch (error) {
    assert.ok(error instanceof TerminalError && error.code === 'bad-signature', String(error));
    return false;
  }
}

function rowOf(sender: Row['sender'], what?: string) {
  const row = ROWS.find((one) => one.sender === sender && one.what === what);
  assert.ok(row);
  return { row, secret: row.secrets[0] };
}

test('every sender has a row', () => {
  assert.deepEqual(new Set(ROWS.map(({ sender }) => sender)), new Set(SENDERS));
});

test('no expression sees a header in which a sender puts its secret', () => {
  for (const { sender, signed, header, options } of ROWS) {
    if (signed || header === undefined || header === options?.header?.toLowerCase()) continue;
    assert.ok(SECRET_HEADERS.includes(header), `${sender}: ${header}`);
  }
});

test('a secret that Mainsheet makes for a sender is one that it verifies', async () => {
  for (const sender of SENDERS) {
    const { secretFrom }: Source = SOURCES[sender];
    const bytes = Buffer.alloc(32, 7);
    const made = secretFrom?.(bytes) ?? bytes.toString('base64url');
    const rows = ROWS.filter((row) => row.sender === sender);
    const passed = await Promise.all(
      rows.map((row) => passes(row, [made], row.make(made, BODY, NOW))),
    );
    assert.ok(passed.includes(true), sender);
  }
});

test('every sender that signs has an example that is not ours', () => {
  const sendersOf = (rows: Row[]) => new Set(rows.map(({ sender }) => sender));
  const signing = ROWS.filter(({ signed }) => signed);
  const shown = signing.filter(({ example }) => example !== undefined);
  assert.deepEqual(sendersOf(shown), sendersOf(signing));
});

for (const row of ROWS) {
  describe([row.sender, row.what ?? ''].join(' ').trim(), () => {
    const [secret, other] = row.secrets;
    const right = row.make(secret, BODY, NOW);
    const withHeader = (change: (value: string) => string): Sample => ({
      ...right,
      headers: {
        ...right.headers,
        [row.header ?? '']: change(right.headers[row.header ?? ''] ?? ''),
      },
    });

    if (row.example !== undefined) {
      const { example } = row;
      test(`the example passes, and not with another body (${example.from})`, async () => {
        const { secret: theirs, at } = example;
        assert.equal(await passes(row, [theirs], example, at), true);
        const changed = { ...example, body: `${example.body} ` };
        assert.equal(await passes(row, [theirs], changed, at), !row.signed);
      });
    }

    test('any of several secrets will do, and no other, nor an empty one', async () => {
      assert.equal(await passes(row, [secret], right), true);
      assert.equal(await passes(row, [other, secret], right), true);
      assert.equal(await passes(row, [other], right), false);
      assert.equal(await passes(row, [], right), false);
      assert.equal(await passes(row, [''], row.make('', BODY, NOW)), false);
    });

    test('a missing or empty header is refused', async () => {
      assert.equal(await passes(row, [secret], { headers: {}, body: BODY }), false);
      if (row.header === undefined) return;
      assert.equal(
        await passes(
          row,
          [secret],
          withHeader(() => ''),
        ),
        false,
      );
    });

    if (row.header !== undefined) {
      test('a header that came twice is refused', async () => {
        const twice = withHeader((value) => `${value}, ${value}`);
        assert.equal(await passes(row, [secret], twice), false);
      });
    }

    if (row.signed) {
      test('a changed byte is refused, in memory and in pieces', async () => {
        const changed = { ...right, body: BODY.replace('e1', 'e2') };
        assert.equal(await passes(row, [secret], changed), false);
        const check = begin(row, [secret], right);
        check.update(Buffer.from(changed.body));
        assert.equal(check.matches(), false);
      });

      test('an empty body is refused', async () => {
        assert.equal(await passes(row, [secret], { ...right, body: '' }), false);
      });

      test('a signature in upper case is refused', async () => {
        const upper = withHeader((value) =>
          value.replace(/[0-9a-zA-Z+/]{20,}/g, (hit) => hit.toUpperCase()),
        );
        assert.equal(await passes(row, [secret], upper), false);
      });

      test('a signature that is cut or longer is refused', async () => {
        assert.equal(
          await passes(
            row,
            [secret],
            withHeader((value) => value.slice(0, -5)),
          ),
          false,
        );
        assert.equal(
          await passes(
            row,
            [secret],
            withHeader((value) => `${value}0`),
          ),
          false,
        );
      });

      if (row.what !== 'with ed25519') {
        test('a body that comes in pieces passes', () => {
          const check = begin(row, [secret], right);
          for (const byte of Buffer.from(BODY)) check.update(Buffer.from([byte]));
          assert.equal(check.matches(), true);
        });
      }
    }

    test('a replay is known by what is signed, where anything is', () => {
      const { signed } = begin(row, [secret], right);
      assert.equal(signed === undefined, !row.signed);
      if (!row.timed) return;
      const earlier = begin(row, [secret], row.make(secret, BODY, NOW - 1000));
      assert.notEqual(signed, earlier.signed);
    });

    if (row.timed) {
      test('an old and a future time are refused, and one that is changed', async () => {
        const { future = 300_000 } = row;
        const at = (away: number) => passes(row, [secret], row.make(secret, BODY, NOW + away));
        for (const away of [-301_000, future + 1000]) assert.equal(await at(away), false);
        for (const away of [-300_000, future]) assert.equal(await at(away), true);
        const earlier = String(Math.floor(NOW / 1000));
        const later = String(Math.floor(NOW / 1000) + 1);
        const headers = Object.entries(right.headers).map(([name, value]) => [
          name,
          value.replace(earlier, later),
        ]);
        const moved = { ...right, headers: Object.fromEntries(headers) as Sample['headers'] };
        assert.equal(await passes(row, [secret], moved), false);
      });
    }
  });
}

test('a signature of Stripe’s with two times is refused, whichever of them is signed', async () => {
  const { row, secret } = rowOf('stripe');
  const { headers } = row.make(secret, BODY, NOW);
  const header = headers['stripe-signature'] ?? '';
  const other = `t=${NOW / 1000 - 1}`;
  for (const value of [`${header},${other}`, `${other},${header}`, `${header},${header}`]) {
    const sample = { headers: { 'stripe-signature': value }, body: BODY };
    assert.equal(await passes(row, [secret], sample), false, value);
  }
});

test('what Standard Webhooks sign is divided in one way: no beginning of a body passes as the end of an id', async () => {
  const { row, secret } = rowOf('standard-webhooks');
  const time = String(NOW / 1000);
  const whole = row.make(secret, `${time}.{"rollback":true}`, NOW);
  assert.equal(await passes(row, row.secrets, whole), true);
  const id = `${whole.headers['webhook-id']}.${time}`;
  const divided = { headers: { ...whole.headers, 'webhook-id': id }, body: '{"rollback":true}' };
  assert.equal(await passes(row, row.secrets, divided), false);
});

test('an id of Standard Webhooks may have full stops: only a number after one could be a time', async () => {
  const { row, secret } = rowOf('standard-webhooks');
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const { headers } = row.make(secret, BODY, NOW);
  const withId = (id: string): Sample => {
    const signed = `${id}.${NOW / 1000}.${BODY}`;
    const signature = `v1,${createHmac('sha256', key).update(signed).digest('base64')}`;
    return {
      headers: { ...headers, 'webhook-id': id, 'webhook-signature': signature },
      body: BODY,
    };
  };
  for (const id of ['msg_2KWPBgLlAfxdpx2AI54pPJ85f4W', 'shop.orders.8f3a', '1.v2.', '.a']) {
    assert.equal(await passes(row, row.secrets, withId(id)), true, id);
  }
  for (const id of ['shop.2026', 'a.1.b', '.1', `a..${NOW / 1000}`]) {
    assert.equal(await passes(row, row.secrets, withId(id)), false, id);
  }
});

test('a public key of Standard Webhooks is no key of an HMAC: all know it', async () => {
  const { row, secret } = rowOf('standard-webhooks', 'with ed25519');
  const before = `msg_1.${NOW / 1000}.`;
  for (const key of [
    secret,
    Buffer.from(secret, 'base64'),
    Buffer.from(secret.slice(5), 'base64'),
  ]) {
    const signature = createHmac('sha256', key).update(`${before}${BODY}`).digest('base64');
    const { headers } = row.make(secret, BODY, NOW);
    const forged = { headers: { ...headers, 'webhook-signature': `v1,${signature}` }, body: BODY };
    assert.equal(await passes(row, [secret], forged), false);
  }
});

test('a secret of GitLab’s that signs is no token, and no token passes beside one', async () => {
  const { row, secret: token } = rowOf('gitlab', 'with a secret token');
  const { row: signing, secret } = rowOf('gitlab', 'with a signing token');
  const both = [token, secret];
  const signed = signing.make(secret, BODY, NOW);
  const withToken = (headers: Sample['headers']) => ({
    headers: { ...headers, 'x-gitlab-token': token },
    body: BODY,
  });
  const forged = { ...signed.headers, 'webhook-signature': `v1,${'A'.repeat(43)}=` };
  assert.equal(await passes(row, [secret], row.make(secret, BODY, NOW)), false);
  assert.equal(await passes(row, both, signed), true);
  assert.equal(await passes(row, both, withToken({})), false);
  assert.equal(await passes(row, both, withToken(forged)), false);
  // GitLab has both, and the hook the token alone.
  assert.equal(await passes(row, [token], withToken(signed.headers)), true);
  assert.equal(await passes(row, [token], signed), false);
});

test('what senders call a delivery is taken from what they send', () => {
  const request = (headers: Record<string, string>) => ({
    header: (name: string) => headers[name.toLowerCase()] ?? '',
    token: '',
  });
  const none = request({});
  const stripe = { id: 'evt_1', type: 'invoice.paid' };
  assert.deepEqual(SOURCES.stripe.identify(none, stripe), stripe);
  assert.deepEqual(
    SOURCES.pagerduty.identify(none, { event: { id: 'p1', event_type: 'incident.triggered' } }),
    {
      id: 'p1',
      type: 'incident.triggered',
    },
  );
  const headers = request({ 'webhook-id': 'w1', 'x-gitlab-event': 'Push Hook' });
  assert.deepEqual(SOURCES.gitlab.identify(headers, {}), { id: 'w1', type: 'Push Hook' });
  assert.deepEqual(SOURCES['standard-webhooks'].identify(headers, { type: 'a.b' }), {
    id: 'w1',
    type: 'a.b',
  });
  assert.deepEqual(
    SOURCES.slack.identify(none, { event_id: 'Ev1', event: { type: 'app_mention' } }),
    {
      id: 'Ev1',
      type: 'app_mention',
    },
  );
});

test('Slack is answered with its challenge', () => {
  const body = { type: 'url_verification', challenge: '3eZb' };
  assert.equal(SOURCES.slack.handshake?.(body), '3eZb');
  assert.equal(SOURCES.slack.handshake?.({ type: 'event_callback' }), undefined);
});
