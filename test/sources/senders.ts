import { createHmac, generateKeyPairSync, sign as signWith } from 'node:crypto';
import type { SenderName, SenderOptions } from '../../src/model/hook.ts';

/** A request as a sender makes it. */
export interface Sample {
  headers: Record<string, string>;
  body: string;
  token?: string;
}

/** One sender: its documented example, and how it signs. A new sender joins the suite by a row. */
export interface Row {
  sender: SenderName;
  what?: string;
  options?: Partial<SenderOptions>;
  /** From the sender's documentation: a request that verifies at that time. */
  documented?: Sample & { secret: string; at: number };
  secrets: [string, string];
  /** Makes a request, signed at `at` (milliseconds) under `secret`. */
  make: (secret: string, body: string, at: number) => Sample;
  /** The header with the signature or token; undefined: it is in the path. */
  header: string | undefined;
  /** Whether the time is signed: then old and future ones are refused. */
  timed: boolean;
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
    // https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    documented: {
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
    // https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/
    documented: {
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
    secrets: [whsec(SECRETS[0]), whsec(SECRETS[1])],
    make: standard,
    header: 'webhook-signature',
    timed: true,
    signed: true,
  },
  ...(['x-gitea-signature', 'x-forgejo-signature'] as const).map((header) => ({
    sender: 'gitea' as const,
    what: header,
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
    secrets: SECRETS,
    make: (secret, body, at) => ({
      headers: {
        'stripe-signature': `t=${seconds(at)},v0=6ffbb59b,v1=${'0'.repeat(64)},v1=${digest(secret, `${seconds(at)}.${body}`)}`,
      },
      body,
    }),
    header: 'stripe-signature',
    timed: true,
    signed: true,
  },
  {
    sender: 'slack',
    // https://docs.slack.dev/authentication/verifying-requests-from-slack
    documented: {
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
    // https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    documented: {
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
    secrets: ['one-secret-of-sixteen', 'other-secret-of-sixteen'],
    make: (secret, body) => ({ headers: { authorization: `Bearer ${secret}` }, body }),
    header: 'authorization',
    timed: false,
    signed: false,
  },
  {
    sender: 'basic',
    // https://www.rfc-editor.org/rfc/rfc7617#section-2
    documented: {
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
