import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runCommand } from './run-command.ts';
import { startServer, type TestServer } from './server.ts';

const SPECS = `
kind: hook
id: tenant
sender: bearer
extract: { tenant: $.tenant, tag: $.tag }
---
kind: hook
id: link
sender: path
methods: [GET]
extract: { tag: { expression: query.tag } }
---
kind: hook
id: work
sender: gitlab
server: work
secrets: [WORK]
---
name: shop
repository: acme/shop
on: { hook: [{ id: tenant, if: "inputs.tag == 'v1'" }, { id: link }] }
steps: [{ run: "true" }]
`;

let server: TestServer;
let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainsheet-hooks-'));
  await writeFile(join(directory, 'specs.yaml'), SPECS);
  server = await startServer({ deployments: directory });
});
after(async () => {
  await server.close();
  await rm(directory, { recursive: true, force: true });
});

const hooks = (...argv: string[]) =>
  runCommand(['hooks', ...argv], { env: { MAINSHEET_URL: server.url }, stdin: '{"tag":"v1"}' });

test('a hook is made, listed, rotated and removed', async () => {
  const made = await hooks(
    'create',
    'tenant',
    '--owner',
    'acme',
    '--input',
    'tenant=a=b',
    '--spec',
    'shop',
    '--expires',
    '1h',
  );
  assert.equal(made.code, 0, made.stderr);
  const [, id = '', secret = ''] =
    /^path {4}\/webhooks\/v1\/hooks\/([0-9a-f]{32})\nsecret {2}(\S+)\nuntil/.exec(made.stdout) ??
    [];
  const stored = await server.store.hooks.get(id);
  assert.deepEqual([stored?.inputs, stored?.specs], [{ tenant: 'a=b' }, ['shop']]);

  const listed = await hooks('list');
  assert.match(listed.stdout, /^tenant +bearer, specs.yaml:2 +shop$/m);
  assert.match(
    listed.stdout,
    /^work +gitlab, specs.yaml:13 +what pushes and releases on work start$/m,
  );
  assert.match(listed.stdout, new RegExp(`^${id} +tenant, for acme until \\S+ +shop$`, 'm'));

  const rotated = await hooks('rotate', id, '--json');
  assert.notEqual((JSON.parse(rotated.stdout) as { secret: string }).secret, secret);
  assert.equal((await hooks('delete', id)).code, 0);
  const gone = await hooks('delete', id);
  assert.equal(gone.code, 3);
  assert.match(gone.stderr, /there is no hook/);
});

test('what a request would start is said, with its reasons', async () => {
  const yes = await hooks('test', 'tenant', '--payload', '-', '--exit-code');
  assert.equal(yes.code, 0, yes.stderr);
  assert.match(yes.stderr, /would be refused: the header Authorization is missing/);
  assert.match(yes.stdout, /^tag = "v1"\n✓ shop: deploys\n/m);
  const { code, stdout } = await runCommand(
    ['hooks', 'test', 'tenant', '--payload', '-', '--exit-code'],
    {
      env: { MAINSHEET_URL: server.url },
      stdin: '{"tag":"v2"}',
    },
  );
  assert.equal(code, 1);
  assert.match(stdout, /✗ on\.hook\.if +inputs\.tag == 'v1' is false/);
});

test('a request is tried as the method that the hook takes, and with GET without a body', async () => {
  const link = await hooks('test', 'link', '--method', 'GET', '--query', 'tag=v3');
  assert.deepEqual([link.code, link.stderr], [0, '']);
  assert.match(link.stdout, /^tag = "v3"\n✓ shop: deploys\n/m);
  const other = await hooks(
    'test',
    'link',
    '--method',
    'PUT',
    '--payload',
    '-',
    '--query',
    'tag=v3',
  );
  assert.match(other.stderr, /^the request as it is would be refused: the hook takes GET$/m);
  const { code, stderr } = await hooks('test', 'link');
  assert.equal(code, 2);
  assert.match(stderr, /give the body with --payload, or --method GET/);
});

test('an input that is no pair is wrong usage', async () => {
  const { code, stderr } = await hooks('create', 'tenant', '--owner', 'a', '--input', 'x');
  assert.equal(code, 2);
  assert.match(stderr, /"x" is not of the form name=value/);
});
