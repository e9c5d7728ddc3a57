import { createHmac, generateKeyPairSync, sign as signWith } from 'node:crypto';
import type { SenderName, SenderOptions } from '../../src/model/hook.ts';

/** A request as a sender makes it. */
export interface Sample {
  headers: Record<string, string>;
  body: string;
  token?: string;
}

/** One sender: an example that is not ours, and how it signs. A new sender joins the suite by a row. */
export interface Row {
  sender: SenderName;
  what?: string;
  options?: Partial<SenderOptions>;
  /** A request that verifies at that time, and where it is from: a document, or a library of the sender (run once). */
  example?: Sample & { from: string; secret: string; at: number };
  secrets: [string, string];
  /** Makes a request, signed at `at` (milliseconds) under `secret`. */
  make: (secret: string, body: string, at: number) => Sample;
  /** The header with the signature or token; undefined: it is in the path. */
  header: string | undefined;
  /** Whether the time is signed: then old and future ones are refused. */
  timed: boolean;
  /** How far in the future that time may be, in milliseconds; default 300 s. */
  future?: number;
  /** Whether the body is signed. */
  signed: boolean;
}

const digest = (
  secret: string | Buffer,
  text: string,
  encoding: 'hex' | 'base64' = 'hex',
  algorithm = 'sha256',
) => createHmac(algorithm, secret).update(text).digest(encoding);
const seconds = (at: number) => String(Math.floor(at / 1000));
const whsec = (text: string) => `whsec_${Buffer.from(text).toString('base64')}`;
const bytesOf = (secret: string) => Buffer.from(secret.slice('whsec_'.length), 'base64');

function standard(secret: string, body: string, at: number, id = 'msg_1'): Sample {
  const signature = digest(bytesOf(secret), `${id}.${seconds(at)}.${body}`, 'base64');
  return {
    headers: {
      'webhook-id': id,
      'webhook-timestamp': seconds(at),
      'webhook-signature': `v1,${signature}`,
    },
    body,
  };
}

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const { publicKey: otherKey } = generateKeyPairSync('ed25519');
const whpk = (key: typeof publicKey) =>
  `whpk_${key.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64')}`;

const SECRETS: [string, string] = ['one secret of sixteen', 'other secret of sixteen'];

export const ROWS: Row[] = [
  {
    sender: 'github',
    example: {
      from: 'https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries',
      secret: "It's a Secret to Everybody",
      at: 0,
      body: 'Hello, World!',
      headers: {
        'x-hub-signature-256':
          'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
      },
    },
    secrets: SECRETS,
    make: (secret, body) => ({
      headers: { 'x-hub-signature-256': `sha256=${digest(secret, body)}` },
      body,
    }),
    header: 'x-hub-signature-256',
    timed: false,
    signed: true,
  },
  {
    sender: 'bitbucket',
    example: {
      from: 'https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/',
      secret: "It's a Secret to Everybody",
      at: 0,
      body: 'Hello World!',
      headers: {
        'x-hub-signature':
          'sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9',
      },
    },
    secrets: SECRETS,
    make: (secret, body) => ({
      headers: { 'x-hub-signature': `sha256=${digest(secret, body)}` },
      body,
    }),
    header: 'x-hub-signature',
    timed: false,
    signed: true,
  },
  {
    sender: 'gitlab',
    what: 'with a secret token',
    secrets: SECRETS,
    make: (secret, body) => ({ headers: { 'x-gitlab-token': secret }, body }),
    header: 'x-gitlab-token',
    timed: false,
    signed: false,
  },
  {
    sender: 'gitlab',
    what: 'with a signing token',
    example: {
      from: 'standardwebhooks 1.1.1, with which GitLab checks its own signing tokens',
      secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
      at: 1_776_088_493_000,
      body: '{"object_kind":"push","ref":"refs/heads/main","checkout_sha":"da1560886d4f094c3e6c9ef40349f7d38b5d27d7"}',
      headers: {
        'x-gitlab-event': 'Push Hook',
        'webhook-id': '0f4b9b4a-6f0e-4c52-a0c2-2f3f1f1f6a11',
        'webhook-timestamp': '1776088493',
        'webhook-signature': 'v1,4gdsIzK08qzXK+TdBPOS4WTNQhV9We8qdEfkJTzse4c=',
      },
    },
    secrets: [whsec(SECRETS[0]), whsec(SECRETS[1])],
    make: standard,
    header: 'webhook-signature',
    timed: true,
    signed: true,
  },
  ...(['x-gitea-signature', 'x-forgejo-signature'] as const).map((header) => ({
    sender: 'gitea' as const,
    what: header,
    example: {
      from: {
        'x-gitea-signature': 'VerifyWebhookSignature of Gitea’s SDK 0.25.1 takes it',
        'x-forgejo-signature': 'as Gitea’s: no library of Forgejo’s own was found',
      }[header],
      secret: 's3cr3t',
      at: 0,
      body: '{"foo": "bar", "baz": true}',
      headers: { [header]: '289e6b19c3e5862cc99e5b9fb733d2e7881638ba92e582dd1e2bf3a80b5618c5' },
    },
    secrets: SECRETS,
    // They send GitHub's headers too.
    make: (secret: string, body: string) => ({
      headers: {
        [header]: digest(secret, body),
        'x-hub-signature-256': `sha256=${digest(secret, body)}`,
      },
      body,
    }),
    header,
    timed: false,
    signed: true,
  })),
  {
    sender: 'stripe',
    example: {
      from: 'generateTestHeaderString of stripe-node 23.1.0',
      secret: 'whsec_test_secret',
      at: 1_700_000_000_000,
      body: '{"id":"evt_test_webhook","object":"event"}',
      headers: {
        'stripe-signature':
          't=1700000000,v1=d95c6b7477fbd7e9f90b1b0ef5f9c7ac25abca5382460e0d988c2b2a5b71b990',
      },
    },
    secrets: SECRETS,
    make: (secret, body, at) => ({
      headers: {
        'stripe-signature': `t=${seconds(at)},v0=6ffbb59b,v1=${'0'.repeat(64)},v1=${digest(secret, `${seconds(at)}.${body}`)}`,
      },
      body,
    }),
    header: 'stripe-signature',
    timed: true,
    future: 0,
    signed: true,
  },
  {
    sender: 'slack',
    example: {
      from: 'https://docs.slack.dev/authentication/verifying-requests-from-slack',
      secret: '8f742231b10e8888abcd99yyyzzz85a5',
      at: 1_531_420_618_000,
      body: 'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c',
      headers: {
        'x-slack-request-timestamp': '1531420618',
        'x-slack-signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
      },
    },
    secrets: SECRETS,
    make: (secret, body, at) => ({
      headers: {
        'x-slack-request-timestamp': seconds(at),
        'x-slack-signature': `v0=${digest(secret, `v0:${seconds(at)}:${body}`)}`,
      },
      body,
    }),
    header: 'x-slack-signature',
    timed: true,
    signed: true,
  },
  {
    sender: 'shopify',
    example: {
      from: 'createSHA256HMAC of shopify-api 13.1.0, which its webhooks.validate takes',
      secret: 'hush',
      at: 0,
      body: '{"id":820982911946154508,"email":"jon@example.com","total_price":"398.00"}',
      headers: { 'x-shopify-hmac-sha256': 'Mvmtl2wadKG9VmH8cT3MvvWnxzkJESq9u41HXmyRL4U=' },
    },
    secrets: SECRETS,
    make: (secret, body) => ({
      headers: { 'x-shopify-hmac-sha256': digest(secret, body, 'base64') },
      body,
    }),
    header: 'x-shopify-hmac-sha256',
    timed: false,
    signed: true,
  },
  {
    sender: 'pagerduty',
    example: {
      from: 'the test of webhookv3 in PagerDuty’s go-pagerduty',
      secret: 'lDQHScfUeXUKaQRNF+8XIiDKZ7XX3itBAYzwU0TARw8lJqRnkKl2iB1anSb0Z+IK',
      at: 0,
      body: '{"event":{"id":"01BWDWL3NYY7LUFPZCC28QUCMK","event_type":"incident.priority_updated","resource_type":"incident","occurred_at":"2021-04-26T17:36:27.458Z","agent":{"html_url":"https://acme.pagerduty.com/users/PLH1HKV","id":"PLH1HKV","self":"https://api.pagerduty.com/users/PLH1HKV","summary":"Tenex Engineer","type":"user_reference"},"client":null,"data":{"id":"PGR0VU2","type":"incident","self":"https://api.pagerduty.com/incidents/PGR0VU2","html_url":"https://acme.pagerduty.com/incidents/PGR0VU2","number":2,"status":"triggered","title":"A little bump in the road","service":{"html_url":"https://acme.pagerduty.com/services/PF9KMXH","id":"PF9KMXH","self":"https://api.pagerduty.com/services/PF9KMXH","summary":"API Service","type":"service_reference"},"assignees":[{"html_url":"https://acme.pagerduty.com/users/PTUXL6G","id":"PTUXL6G","self":"https://api.pagerduty.com/users/PTUXL6G","summary":"User 123","type":"user_reference"}],"escalation_policy":{"html_url":"https://acme.pagerduty.com/escalation_policies/PUS0KTE","id":"PUS0KTE","self":"https://api.pagerduty.com/escalation_policies/PUS0KTE","summary":"Default","type":"escalation_policy_reference"},"teams":[{"html_url":"https://acme.pagerduty.com/teams/PFCVPS0","id":"PFCVPS0","self":"https://api.pagerduty.com/teams/PFCVPS0","summary":"Engineering","type":"team_reference"}],"priority":{"html_url":"https://acme.pagerduty.com/account/incident_priorities","id":"PSO75BM","self":"https://api.pagerduty.com/priorities/PSO75BM","summary":"P1","type":"priority_reference"},"urgency":"high","conference_bridge":{"conference_number":1000,"conference_url":"https://example.com"},"resolve_reason":null}}}',
      headers: {
        'x-pagerduty-signature':
          'v1=0c0b9495b893a39e70d1fea2fe11fbe0a825f88b9f67846f6cc07dd2bc5476cd',
      },
    },
    secrets: SECRETS,
    make: (secret, body) => ({
      headers: { 'x-pagerduty-signature': `v1=${'0'.repeat(64)},v1=${digest(secret, body)}` },
      body,
    }),
    header: 'x-pagerduty-signature',
    timed: false,
    signed: true,
  },
  {
    sender: 'standard-webhooks',
    example: {
      from: 'https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md',
      secret: 'whsec_plJ3nmyCDGBKInavdOK15jsl',
      at: 1_731_705_121_000,
      body: '{"event_type":"ping","data":{"success":true}}',
      headers: {
        'webhook-id': 'msg_loFOjxBNrRLzqYUf',
        'webhook-timestamp': '1731705121',
        'webhook-signature': 'v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=',
      },
    },
    secrets: [whsec(SECRETS[0]), whsec(SECRETS[1])],
    make: standard,
    header: 'webhook-signature',
    timed: true,
    signed: true,
  },
  {
    sender: 'standard-webhooks',
    what: 'with ed25519',
    example: {
      from: 'test_asymmetric_key_signing of the Svix server, whose authors wrote the specification',
      secret: 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=',
      at: 1_614_265_330_000,
      body: '{"test": 2432232314}',
      headers: {
        'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
        'webhook-timestamp': '1614265330',
        'webhook-signature':
          'v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==',
      },
    },
    secrets: [whpk(publicKey), whpk(otherKey)],
    make(secret, body, at) {
      const text = `msg_1.${seconds(at)}.${body}`;
      const key =
        secret === whpk(publicKey) ? privateKey : generateKeyPairSync('ed25519').privateKey;
      const signature = signWith(null, Buffer.from(text), key).toString('base64');
      return {
        headers: {
          'webhook-id': 'msg_1',
          'webhook-timestamp': seconds(at),
          'webhook-signature': `v1a,${signature}`,
        },
        body,
      };
    },
    header: 'webhook-signature',
    timed: true,
    signed: true,
  },
  {
    sender: 'hmac',
    what: 'of the body alone',
    options: { header: 'X-Sig' },
    example: {
      from: 'https://www.rfc-editor.org/rfc/rfc4231#section-4.3',
      secret: 'Jefe',
      at: 0,
      body: 'what do ya want for nothing?',
      headers: { 'x-sig': '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843' },
    },
    secrets: SECRETS,
    make: (secret, body) => ({ headers: { 'x-sig': digest(secret, body) }, body }),
    header: 'x-sig',
    timed: false,
    signed: true,
  },
  ...(['sha256', 'sha512', 'sha1'] as const).flatMap((algorithm) =>
    (['hex', 'base64'] as const).map((encoding) => ({
      sender: 'hmac' as const,
      what: `${algorithm} in ${encoding}`,
      options: {
        header: 'X-Sig',
        prefix: `${algorithm}=`,
        algorithm,
        encoding,
        signed: '{timestamp}:{body}',
        timestamp: 'X-Time',
      },
      secrets: SECRETS,
      make: (secret: string, body: string, at: number) => ({
        headers: {
          'x-sig': `${algorithm}=${digest(secret, `${seconds(at)}:${body}`, encoding, algorithm)}`,
          'x-time': seconds(at),
        },
        body,
      }),
      header: 'x-sig',
      timed: true,
      signed: true,
    })),
  ),
  {
    sender: 'bearer',
    example: {
      from: 'https://www.rfc-editor.org/rfc/rfc6750#section-2.1',
      secret: 'mF_9.B5f-4.1JqM',
      at: 0,
      body: '{}',
      headers: { authorization: 'Bearer mF_9.B5f-4.1JqM' },
    },
    secrets: ['one-secret-of-sixteen', 'other-secret-of-sixteen'],
    make: (secret, body) => ({ headers: { authorization: `Bearer ${secret}` }, body }),
    header: 'authorization',
    timed: false,
    signed: false,
  },
  {
    sender: 'basic',
    example: {
      from: 'https://www.rfc-editor.org/rfc/rfc7617#section-2',
      secret: 'Aladdin:open sesame',
      at: 0,
      body: '{}',
      headers: { authorization: 'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==' },
    },
    secrets: ['user:one secret', 'user:other secret'],
    make: (secret, body) => ({
      headers: { authorization: `Basic ${Buffer.from(secret).toString('base64')}` },
      body,
    }),
    header: 'authorization',
    timed: false,
    signed: false,
  },
  {
    sender: 'header',
    options: { header: 'X-Token' },
    secrets: SECRETS,
    make: (secret, body) => ({ headers: { 'x-token': secret }, body }),
    header: 'x-token',
    timed: false,
    signed: false,
  },
  {
    sender: 'path',
    secrets: ['one-secret-of-sixteen', 'other-secret-of-sixteen'],
    make: (secret, body) => ({ headers: {}, body, token: secret }),
    header: undefined,
    timed: false,
    signed: false,
  },
];
