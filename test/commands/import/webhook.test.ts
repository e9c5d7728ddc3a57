import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { importWebhook } from '../../../src/commands/import/webhook.ts';
import type { Json } from '../../../src/model/event.ts';
import { matchesHookCondition } from '../../../src/spec/match-hook.ts';
import { parseSpecs } from '../../../src/spec/load.ts';
import { startHttp } from '../../http/fixture.ts';
import { runCommand } from '../run-command.ts';

const KEY = 'a-key-of-sixteen-characters';
const SECOND = 'another key of sixteen chars';
const ADDRESS = '203.0.113.7';

interface Sent {
  body?: object;
  headers?: Record<string, string>;
  query?: string;
  from?: string;
  method?: string;
}

const parameter = (source: string, name: string) => ({ source, name });
const match = (type: string, more: object) => ({ match: { type, ...more } });
const value = (source: string, name: string, text: string) =>
  match('value', { value: text, parameter: parameter(source, name) });
const regex = (source: string, name: string, text: string) =>
  match('regex', { regex: text, parameter: parameter(source, name) });
const hmac = (algorithm: string, header = 'X-Signature', secret = KEY) =>
  match(`payload-hmac-${algorithm}`, { secret, parameter: parameter('header', header) });

/** The same signed bytes would count once. */
let serial = 0;

function signed(given: Sent, algorithm = 'sha256', how: { header?: string; key?: string } = {}) {
  const { header = 'X-Signature', key = KEY } = how;
  const sent = { ...given, body: { ...given.body, serial: (serial += 1) } };
  const prefix = header.startsWith('X-Hub') ? `${algorithm}=` : '';
  const digest = createHmac(algorithm, key).update(JSON.stringify(sent.body)).digest('hex');
  return { ...sent, headers: { ...sent.headers, [header]: prefix + digest } };
}

function imported(rule: unknown) {
  const hooks = [{ id: 'a', 'execute-command': '/bin/true', 'trigger-rule': rule }];
  const [hook] = importWebhook(JSON.stringify(hooks), 'acme/storefront');
  assert.ok(hook);
  const { hooks: loaded, specs, problems } = parseSpecs('a.yaml', hook.text);
  assert.deepEqual(problems, []);
  assert.equal(specs.length, 1);
  return { ...hook, loaded: loaded[0]?.hook };
}

/** Whether a request starts something, as the whole route and the condition have it. */
async function gate(t: TestContext, rule: unknown, secrets: readonly string[] = [KEY]) {
  const hook = imported(rule);
  assert.deepEqual(hook.problems, []);
  const { loaded } = hook;
  assert.ok(loaded);
  const values = hook.secrets.map(({ name }, index) => [name, secrets[index] ?? '']);
  const fixture = await startHttp(t, {
    hooks: [loaded],
    hookSecrets: Object.fromEntries(values) as Record<string, string>,
    trustedProxies: ['127.0.0.1'],
  });
  return async ({ body = {}, headers = {}, query = '', from = ADDRESS, method }: Sent) => {
    const response = await fetch(`${fixture.url}/webhooks/v1/hooks/a${query}`, {
      method: method ?? 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Forwarded-For': from, ...headers },
      body: JSON.stringify(body),
    });
    if (response.status !== 202) return false;
    const { delivery } = (await response.json()) as { delivery: string };
    const stored = await fixture.store.inbox.get(delivery);
    const payload = JSON.parse(stored?.payload ?? '') as Json;
    return matchesHookCondition('if', loaded.if, payload).matched;
  };
}

/** A rule, requests that it lets in, and requests that it does not. */
const RULES: [what: string, rule: unknown, yes: Sent[], no: Sent[]][] = [
  ...(['sha1', 'sha256', 'sha512'] as const).map((algorithm): (typeof RULES)[number] => [
    `payload-hmac-${algorithm}`,
    hmac(algorithm),
    [signed({ body: { n: 1 } }, algorithm)],
    [
      {},
      signed({}, algorithm, { key: SECOND }),
      { ...signed({ body: { n: 1 } }, algorithm), body: { n: 2 } },
    ],
  ]),
  [
    "GitHub's signature, with its prefix",
    hmac('sha256', 'X-Hub-Signature-256'),
    [signed({}, 'sha256', { header: 'X-Hub-Signature-256' })],
    [signed({}, 'sha256')],
  ],
  [
    'value of the payload, in lists too, and of what is no text',
    {
      and: [
        hmac('sha256'),
        value('payload', 'commits.0.author', 'ada'),
        value('payload', 'n', '1'),
      ],
    },
    [signed({ body: { commits: [{ author: 'ada' }], n: 1 } })],
    [
      signed({ body: { commits: [{ author: 'bob' }], n: 1 } }),
      signed({ body: { commits: [], n: 1 } }),
      signed({ body: { commits: [{ author: 'ada' }], n: 2 } }),
    ],
  ],
  [
    'regex of the payload',
    { and: [hmac('sha256'), regex('payload', 'ref', '^refs/tags/v\\d+$')] },
    [signed({ body: { ref: 'refs/tags/v12' } })],
    [signed({ body: { ref: 'refs/tags/x' } }), signed({})],
  ],
  [
    'value and regex of headers and of the query',
    {
      and: [
        hmac('sha256'),
        value('header', 'X-Event', 'push'),
        regex('url', 'env', '^(dev|test)$'),
        value('query', 'a', '1'),
      ],
    },
    [signed({ headers: { 'X-Event': 'push' }, query: '?env=dev&a=1' })],
    [
      signed({ headers: { 'X-Event': 'ping' }, query: '?env=dev&a=1' }),
      signed({ headers: { 'X-Event': 'push' }, query: '?env=prod&a=1' }),
      signed({ query: '?env=dev&a=1' }),
      signed({ headers: { 'X-Event': 'push' } }),
    ],
  ],
  [
    'or',
    {
      and: [
        hmac('sha256'),
        { or: [value('payload', 'a', '1'), value('header', 'X-Event', 'push')] },
      ],
    },
    [signed({ body: { a: '1' } }), signed({ headers: { 'X-Event': 'push' } })],
    [signed({ body: { a: '2' } }), signed({})],
  ],
  [
    'not, of which what is missing is no proof',
    {
      and: [
        hmac('sha256'),
        { not: { and: [value('header', 'X-Event', 'ping'), value('payload', 'a', '1')] } },
      ],
    },
    [signed({ headers: { 'X-Event': 'ping' }, body: { a: '2' } })],
    [
      signed({ headers: { 'X-Event': 'ping' }, body: { a: '1' } }),
      signed({ headers: { 'X-Event': 'push' } }),
      signed({ body: { a: '2' } }),
    ],
  ],
  [
    'a token in a header',
    { and: [value('header', 'X-Gitlab-Token', KEY), value('payload', 'ref', 'main')] },
    [{ headers: { 'X-Gitlab-Token': KEY }, body: { ref: 'main' } }],
    [
      { headers: { 'X-Gitlab-Token': SECOND }, body: { ref: 'main' } },
      { body: { ref: 'main' } },
      { headers: { 'X-Gitlab-Token': KEY }, body: { ref: 'dev' } },
    ],
  ],
  [
    'a bearer token',
    value('header', 'Authorization', `Bearer ${KEY}`),
    [{ headers: { Authorization: `Bearer ${KEY}` } }],
    [{ headers: { Authorization: 'Bearer x' } }, {}],
  ],
  [
    'ip-whitelist',
    { and: [hmac('sha256'), match('ip-whitelist', { 'ip-range': '10.0.0.0/8 203.0.113.7' })] },
    [signed({}), signed({ from: '10.1.2.3' })],
    [signed({ from: '203.0.113.8' })],
  ],
  [
    "the request's method",
    { and: [hmac('sha256'), value('request', 'method', 'PUT')] },
    [signed({ method: 'PUT' })],
    [signed({})],
  ],
];

for (const [what, rule, yes, no] of RULES) {
  test(`a rule lets in what it did, and nothing else: ${what}`, async (t) => {
    const lets = await gate(t, rule);
    for (const sent of yes) assert.equal(await lets(sent), true, JSON.stringify(sent));
    for (const sent of no) assert.equal(await lets(sent), false, JSON.stringify(sent));
  });
}

test('signatures of which any is right become secrets of one sender', async (t) => {
  const rule = { or: [hmac('sha256'), hmac('sha256', 'X-Signature', SECOND)] };
  const lets = await gate(t, rule, [KEY, SECOND]);
  assert.equal(await lets(signed({})), true);
  assert.equal(await lets(signed({}, 'sha256', { key: SECOND })), true);
  assert.equal(await lets(signed({}, 'sha256', { key: 'x' })), false);
});

for (const [what, rule, problem] of [
  ['no rule', undefined, /^trigger-rule: there is none/],
  ['no signature', value('payload', 'a', '1'), /no signature or token/],
  ['a signature below not', { not: hmac('sha256') }, /^trigger-rule\.not: a signature counts only/],
  [
    'a signature beside another way in',
    { or: [hmac('sha256'), value('payload', 'a', '1')] },
    /or\[0\]: a signature/,
  ],
  ['two signatures', { and: [hmac('sha256'), hmac('sha512', 'X-B')] }, /and\[1\]: a hook has one/],
  [
    'a signature in the payload',
    match('payload-hmac-sha256', { secret: KEY, parameter: parameter('payload', 's') }),
    /not in a header/,
  ],
  ['scalr-signature', match('scalr-signature', { secret: KEY }), /scalr-signature signs/],
  [
    'addresses below or',
    { and: [hmac('sha1'), { or: [match('ip-whitelist', { 'ip-range': '10.0.0.1' })] }] },
    /addresses count only/,
  ],
  [
    'the raw body',
    { and: [hmac('sha1'), value('raw-request-body', '', 'x')] },
    /speaks of raw-request-body/,
  ],
  [
    'the remote address',
    { and: [hmac('sha1'), value('request', 'remote-addr', '1.2.3.4')] },
    /say addresses/,
  ],
  [
    'a secret header below not',
    { and: [hmac('sha1'), { not: value('header', 'Authorization', 'x') }] },
    /it is a secret/,
  ],
  [
    'a value that is no text',
    { and: [hmac('sha1'), match('value', { value: 1, parameter: parameter('payload', 'a') })] },
    /is no text/,
  ],
  ['a rule with two meanings', { and: [hmac('sha1')], or: [] }, /is no rule/],
  ['an unknown match', { and: [hmac('sha1'), match('magic', {})] }, /"magic" is not known/],
  [
    'a bad regular expression',
    { and: [hmac('sha1'), regex('payload', 'a', '(')] },
    /cannot be read/,
  ],
] as const) {
  test(`a hook of which the rule has no translation takes no requests: ${what}`, () => {
    const { problems, loaded, text, secrets } = imported(rule);
    assert.match(problems.join('\n'), problem);
    assert.deepEqual([loaded?.secrets, loaded?.if, secrets], [[], 'false', []]);
    assert.match(text, /^# It takes no requests/);
  });
}

test('the command gets its values as variables and not as code, and secrets are not written', () => {
  const hooks = `
- id: Deploy Site
  execute-command: /srv/deploy.sh
  command-working-directory: /srv/it's
  http-methods: [post]
  pass-arguments-to-command:
    - { source: payload, name: head.id }
    - { source: string, name: "$(rm -rf /)" }
  pass-environment-to-command:
    - { source: header, name: X-Event, envname: EVENT }
  trigger-rule:
    match: { type: payload-hmac-sha256, secret: "${KEY}", parameter: { source: header, name: X-Sig } }
`;
  const [hook] = importWebhook(hooks, 'acme/storefront');
  assert.ok(hook);
  const { specs, hooks: loaded } = parseSpecs('a.yaml', hook.text);
  assert.deepEqual(hook.problems, []);
  assert.deepEqual(specs[0]?.spec.steps[0], {
    ...specs[0]?.spec.steps[0],
    run: `cd '/srv/it'\\''s' && /srv/deploy.sh "$MAINSHEET_INPUT_HEAD_ID" '$(rm -rf /)'`,
    env: { EVENT: '${{ inputs.x_event }}' },
  });
  assert.deepEqual(loaded[0]?.hook.extract['head_id']?.from, {
    kind: 'json',
    path: "$['head']['id']",
  });
  assert.deepEqual(hook.secrets, [
    { name: 'WEBHOOK_DEPLOY_SITE', place: 'hooks[0].trigger-rule.match.secret' },
  ]);
  assert.doesNotMatch(hook.text, new RegExp(KEY));
});

test('a rule that asks for a method that the hook does not take starts nothing, as before', () => {
  const rule = { and: [hmac('sha256'), value('request', 'method', 'PUT')] };
  const of = (methods: string[]) => {
    const hook = { id: 'a', 'execute-command': 'x', 'http-methods': methods, 'trigger-rule': rule };
    return importWebhook(JSON.stringify([hook]), 'acme/storefront')[0]?.problems;
  };
  assert.deepEqual(of(['POST']), ['http-methods: PUT is not among them']);
  assert.deepEqual(of(['post', 'put']), []);
});

test('the command line writes a file for each hook, says what is missing, and overwrites nothing', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-import-'));
  t.after(() => rm(directory, { recursive: true }));
  const hooks = [
    { id: 'good', 'execute-command': '/bin/true', 'trigger-rule': hmac('sha256') },
    { id: 'bad', 'execute-command': '/bin/true', 'pass-file-to-command': [] },
  ];
  await writeFile(join(directory, 'hooks.json'), JSON.stringify(hooks));
  const argv = ['import', 'webhook', 'hooks.json', '--repository', 'acme/storefront'];
  const ran = await runCommand(argv, { directory });
  assert.equal(ran.code, 1);
  assert.match(ran.stdout, /✓ good: deployments\/good\.yaml\n/);
  assert.match(
    ran.stdout,
    /MAINSHEET_SECRET_WEBHOOK_GOOD: hooks\[0\]\.trigger-rule\.match\.secret/,
  );
  assert.match(
    ran.stdout,
    /✗ bad: .*takes no requests\n {2}not translated {2}pass-file-to-command/,
  );
  assert.doesNotMatch(ran.stdout, new RegExp(KEY));
  const out = join(directory, 'deployments');
  assert.deepEqual((await readdir(out)).toSorted(), ['bad.yaml', 'good.yaml']);
  assert.match(await readFile(join(out, 'bad.yaml'), 'utf8'), /if: "false"/);
  const again = await runCommand(argv, { directory });
  assert.equal(again.code, 2);
  assert.match(again.stderr, /EEXIST/);
  const none = await runCommand([...argv.slice(0, 2), 'none.json', ...argv.slice(3)], {
    directory,
  });
  assert.equal(none.code, 2);
});
