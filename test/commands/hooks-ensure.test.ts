import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createEmulator } from 'emulate';
import { runCommand } from './run-command.ts';
import { SPEC } from './server.ts';

interface EmulatedHook {
  id: number;
  active: boolean;
  events: string[];
  config: { url: string; content_type: string };
}

const TOKEN = 'a-token';
const ADDRESS = 'https://mainsheet.example/webhooks/v1/github';

// Against emulate's webhooks, which are not ours.
describe('the webhooks of the repositories that specs name', () => {
  let directory = '';
  let emulator: { url: string; close: () => Promise<void> };
  let env: Record<string, string> = {};
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mainsheet-hooks-'));
    await mkdir(join(directory, 'deployments'));
    await writeFile(join(directory, 'deployments/storefront.yaml'), SPEC);
    emulator = await createEmulator({
      service: 'github',
      port: 0,
      seed: {
        tokens: { [TOKEN]: { login: 'demo', scopes: ['repo'] } },
        github: {
          users: [{ login: 'demo' }],
          orgs: [{ login: 'acme', members: [{ login: 'demo', role: 'admin' }] }],
          repos: [{ owner: 'acme', name: 'storefront', auto_init: false }],
        },
      },
    });
    env = {
      GITHUB_API_URL: emulator.url.replace('localhost', '127.0.0.1'),
      GITHUB_TOKEN: TOKEN,
      GITHUB_WEBHOOK_SECRET: 'a secret of sixteen',
      MAINSHEET_PUBLIC_URL: 'https://mainsheet.example',
      MAINSHEET_DEPLOYMENTS: join(directory, 'deployments'),
      MAINSHEET_DATA_DIR: directory,
    };
  });
  after(async () => {
    await emulator.close();
    await rm(directory, { recursive: true });
  });

  const ensure = (more: Record<string, string> = {}, ...args: string[]) =>
    runCommand(['hooks', 'ensure', ...args], { env: { ...env, ...more } });
  const hooks = async (
    path = '',
    init: { method?: string; body?: string } = {},
  ): Promise<EmulatedHook[]> => {
    const response = await fetch(`${env['GITHUB_API_URL']}/repos/acme/storefront/hooks${path}`, {
      ...init,
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    });
    return (await response.json()) as EmulatedHook[];
  };

  test('are made once, kept, repaired where they differ, and others are left alone', async () => {
    const other = { config: { url: 'https://other.example', content_type: 'form' }, active: false };
    await hooks('', { method: 'POST', body: JSON.stringify({ ...other, events: ['issues'] }) });

    const made = await ensure();
    assert.deepEqual(
      [made.code, made.stdout],
      [0, '✓ acme/storefront: made (push)\n'],
      made.stderr,
    );
    assert.match((await ensure()).stdout, /: kept /);
    const [, mine] = await hooks();
    assert.deepEqual(
      [mine?.config.url, mine?.config.content_type, mine?.events],
      [ADDRESS, 'json', ['push']],
    );

    const broken = {
      config: { url: ADDRESS, content_type: 'form' },
      active: false,
      events: ['issues'],
    };
    await hooks(`/${mine?.id}`, { method: 'PATCH', body: JSON.stringify(broken) });
    assert.match((await ensure()).stdout, /: repaired /);
    const [left, repaired, ...more] = await hooks();
    assert.deepEqual(more, []);
    assert.deepEqual(
      [repaired?.config.content_type, repaired?.active, repaired?.events],
      ['json', true, ['issues', 'push']],
    );
    assert.deepEqual([left?.config.url, left?.active], ['https://other.example', false]);

    await writeFile(join(directory, 'deployments/storefront.yaml'), `${SPEC}comments: true\n`);
    assert.match((await ensure()).stdout, /: repaired \(push, issue_comment, commit_comment\)/);
  });

  test('are made for the channel of the tunnel when there is no public URL, as soon as it is there', async () => {
    const here = { env: { ...env, MAINSHEET_PUBLIC_URL: '' } };
    let isThere: Promise<void> | undefined;
    const onNote = () => {
      isThere ??= writeFile(join(directory, 'tunnel-url'), 'https://smee.example/abc\n');
    };
    const waited = await runCommand(['hooks', 'ensure'], { ...here, onNote });
    await isThere;
    assert.match(waited.stderr, /^waiting for the channel/);
    assert.match(waited.stdout, /: made /);
    const urls = (await hooks()).map(({ config }) => config.url);
    assert.ok(urls.includes('https://smee.example/abc'));
  });

  test('a refusal names the repository and what the token needs, and the token is not shown', async () => {
    const other = join(directory, 'other.yaml');
    await writeFile(other, SPEC.replace('acme/storefront', 'acme/missing'));
    const refused = await ensure({}, '--deployments', other);
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, /acme\/missing[\s\S]*hint: .*"Webhooks: read and write"/);
    assert.doesNotMatch(refused.stderr, new RegExp(TOKEN));
    assert.equal((await ensure({ GITHUB_TOKEN: '' })).code, 2);
    // Nothing listens at port 0.
    const away = await ensure({ GITHUB_API_URL: 'http://127.0.0.1:0' });
    assert.match(away.stderr, /cannot be reached[\s\S]*hint: see that this machine gets there/);
  });
});
