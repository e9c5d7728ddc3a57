import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { createForge } from '../../demo/forge.ts';
import { checkPrograms } from '../../src/commands/doctor-machine.ts';
import { parseSpecs } from '../../src/spec/load.ts';
import { openSqlite } from '../../src/store/engine.ts';
import { createStore } from '../../src/store/index.ts';
import { samplePreview, sampleRun, sampleStatus } from '../store/samples.ts';
import { needsRoot, STEP_USER } from '../support/root.ts';
import { runCommand } from './run-command.ts';
import { NOBODY_AT, SPEC, startAnswering, startServer } from './server.ts';

const SECRET = 'a-webhook-secret-that-is-long-enough';

let root = '';
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'mainsheet-doctor-'));
});
after(() => rm(root, { recursive: true, force: true }));

/** An environment in which everything is right, with a GitHub that accepts the token, and no server at its port. */
async function healthy(): Promise<Record<string, string>> {
  const directory = await mkdtemp(join(root, 'one-'));
  await mkdir(join(directory, 'data'));
  await mkdir(join(directory, 'specs'));
  await writeFile(join(directory, 'specs', 'a.yaml'), SPEC);
  return {
    PORT: new URL(NOBODY_AT).port,
    MAINSHEET_DATA_DIR: join(directory, 'data'),
    MAINSHEET_DEPLOYMENTS: join(directory, 'specs'),
    MAINSHEET_PUBLIC_URL: 'https://mainsheet.example',
    GITHUB_WEBHOOK_SECRET: SECRET,
  };
}

/** The same with a user for the steps, who gets to `root` and not below. */
async function apart(): Promise<Record<string, string>> {
  await chmod(root, 0o711);
  return { ...(await healthy()), MAINSHEET_STEP_USER: `${STEP_USER.uid}:${STEP_USER.gid}` };
}

interface Check {
  subject: string;
  state: string;
  detail: string;
  hint?: string;
}

async function examined(env: Record<string, string>) {
  const { code, stdout, stderr } = await runCommand(['doctor', '--json'], { env });
  assert.equal(stderr, '');
  const { ok, checks } = JSON.parse(stdout) as { ok: boolean; checks: Check[] };
  assert.equal(code, ok ? 0 : 1);
  return {
    code,
    of: (subject: string) => checks.filter((check) => check.subject === subject),
    failed: checks.filter((check) => check.state === 'fail').map((check) => check.subject),
  };
}

test('a machine on which all is well is told so, line by line, and nothing is made on it', async () => {
  const env = await healthy();
  const { code, stdout } = await runCommand(['doctor'], { env });
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^✓ Node: 24\./m);
  assert.match(stdout, /^✓ git: 2\.\d+/m);
  assert.match(stdout, /^✓ shell: \//m);
  assert.match(stdout, /^✓ webhook secret: 1 set$/m);
  assert.match(stdout, /^✓ public URL: https:\/\/mainsheet\.example$/m);
  assert.match(stdout, /^✓ data directory: /m);
  assert.match(stdout, /^✓ store: there is none yet/m);
  assert.match(stdout, /^✓ specs: 1 valid/m);
  assert.match(stdout, /^! server: none answers at .*\n {2}→ start it with "mainsheet serve"$/m);
  assert.match(stdout, /^! GitHub: no credentials.*\n {2}→ set GITHUB_APP_ID/m);
  assert.doesNotMatch(stdout, new RegExp(SECRET));
  assert.deepEqual(await readdir(env['MAINSHEET_DATA_DIR'] ?? ''), []);
});

test('every problem of the configuration is listed, and what does not depend on it is looked at', async () => {
  const result = await examined({
    ...(await healthy()),
    MAINSHEET_CONCURRENCY: 'many',
    MAINSHEET_PUBLIC_URL: 'example',
  });
  assert.equal(result.code, 1);
  assert.equal(result.of('configuration').length, 2);
  assert.equal(result.of('git')[0]?.state, 'ok');
  assert.equal(result.of('server').length, 1);
});

test('a missing webhook secret does not keep the rest from being looked at', async () => {
  const { GITHUB_WEBHOOK_SECRET: _, ...env } = await healthy();
  const result = await examined(env);
  assert.deepEqual(result.failed, ['configuration']);
  assert.match(result.of('configuration')[0]?.detail ?? '', /GITHUB_WEBHOOK_SECRET is not set/);
  assert.equal(result.of('specs')[0]?.state, 'ok');
});

test('a secret that could be guessed and links that lead nowhere are warnings', async () => {
  const result = await examined({
    ...(await healthy()),
    GITHUB_WEBHOOK_SECRET: 'short',
    MAINSHEET_PUBLIC_URL: 'http://localhost:3000',
  });
  assert.equal(result.code, 0);
  assert.equal(result.of('webhook secret')[0]?.state, 'warn');
  assert.match(result.of('webhook secret')[0]?.hint ?? '', /openssl rand -hex 32/);
  assert.equal(result.of('public URL')[0]?.state, 'warn');
});

test('without git, or with one that is too old, it says which is needed', async () => {
  const bin = await mkdtemp(join(root, 'bin-'));
  const env = await healthy();
  const without = await examined({ ...env, PATH: bin });
  assert.deepEqual(without.failed, ['git']);
  assert.match(without.of('git')[0]?.hint ?? '', /install git 2\.31 or newer/);

  await writeFile(join(bin, 'git'), '#!/bin/sh\necho git version 2.30.9\n');
  await chmod(join(bin, 'git'), 0o755);
  const old = await examined({ ...env, PATH: bin });
  assert.match(old.of('git')[0]?.detail ?? '', /2\.30\.9 is too old/);
});

test('a data directory that cannot be one is found', async () => {
  const env = await healthy();
  const file = join(root, 'a-file');
  await writeFile(file, '');
  for (const path of [file, join(file, 'below'), '/proc/foo']) {
    const result = await examined({ ...env, MAINSHEET_DATA_DIR: path });
    assert.ok(result.failed.includes('data directory'), path);
  }
  const later = await examined({ ...env, MAINSHEET_DATA_DIR: join(root, 'not', 'yet') });
  assert.match(later.of('data directory')[0]?.detail ?? '', /which the first start makes/);
});

test('a store that opens and one that does not are told apart', async () => {
  const env = await healthy();
  const file = join(env['MAINSHEET_DATA_DIR'] ?? '', 'mainsheet.db');
  const store = await createStore(openSqlite(file));
  await store.close();
  assert.equal((await examined(env)).of('store')[0]?.state, 'ok');

  await writeFile(file, 'this is no database, and was never meant to be one'.repeat(100));
  const result = await examined(env);
  assert.deepEqual(result.failed, ['store']);
});

test('invalid specs and secrets that are not set are found', async () => {
  const env = await healthy();
  const specs = env['MAINSHEET_DEPLOYMENTS'] ?? '';
  await writeFile(join(specs, 'a.yaml'), `${SPEC}secrets: [REGISTRY_TOKEN]\n`);
  const missing = await examined(env);
  assert.match(missing.of('specs')[1]?.hint ?? '', /set MAINSHEET_SECRET_REGISTRY_TOKEN/);
  assert.equal((await examined({ ...env, MAINSHEET_SECRET_REGISTRY_TOKEN: 'x' })).code, 0);

  await writeFile(join(specs, 'b.yaml'), 'name: b\nodd: 1\n');
  const broken = await examined(env);
  assert.ok(broken.of('specs').every((check) => check.state === 'fail'));
  assert.match(broken.of('specs')[0]?.detail ?? '', /b\.yaml:\d+:\d+: /);
});

test("GitHub's answer to the credentials is told, with what to do", async () => {
  const github = await startAnswering((request, response) => {
    const accepted = request.headers.authorization === 'token ghp_right';
    response.writeHead(accepted ? 200 : 401, { 'Content-Type': 'application/json' });
    const core = { limit: 5000, remaining: 4999, reset: 0, used: 1 };
    response.end(
      JSON.stringify(
        accepted ? { resources: { core }, rate: core } : { message: 'Bad credentials' },
      ),
    );
  });
  try {
    const env = { ...(await healthy()), GITHUB_API_URL: github.url };
    const right = await examined({ ...env, GITHUB_TOKEN: 'ghp_right' });
    assert.equal(right.of('GitHub')[0]?.state, 'ok', JSON.stringify(right.of('GitHub')));
    const wrong = await examined({ ...env, GITHUB_TOKEN: 'ghp_wrong' });
    assert.deepEqual(wrong.failed, ['GitHub']);
    assert.notEqual(wrong.of('GitHub')[0]?.hint, undefined);
    assert.doesNotMatch(JSON.stringify(wrong.of('GitHub')), /ghp_wrong/);
  } finally {
    await github.close();
  }
});

test('a server that runs is asked, and its store left alone', async () => {
  const server = await startServer({ token: 'the-token-of-the-server' });
  try {
    const env = { ...(await healthy()), MAINSHEET_URL: server.url };
    const entered = await examined({ ...env, MAINSHEET_ADMIN_TOKEN: 'the-token-of-the-server' });
    assert.equal(entered.code, 0);
    assert.equal(entered.of("server's store")[0]?.state, 'ok');
    assert.equal(entered.of("server's specs")[0]?.state, 'ok');
    assert.equal(entered.of('API')[0]?.detail, 'answers with the token');
    assert.deepEqual(entered.of('store'), []);
    const refused = await examined({ ...env, MAINSHEET_ADMIN_TOKEN: 'some-other-long-token' });
    assert.deepEqual(refused.failed, ['API']);
  } finally {
    await server.close();
  }
});

test('callbacks that were given up and what is paused are warnings, with what to do about them', async () => {
  const lane = "the shop's lane";
  const here = await healthy();
  const deployments = here['MAINSHEET_DEPLOYMENTS'] ?? '';
  await writeFile(join(deployments, 'a.yaml'), `${SPEC}concurrency: "${lane}"\n`);
  const server = await startServer({ deployments });
  try {
    const env = { ...here, MAINSHEET_URL: server.url };
    const quiet = await examined(env);
    assert.deepEqual(quiet.of('callbacks'), [
      { subject: 'callbacks', state: 'ok', detail: 'none was given up' },
    ]);
    assert.deepEqual(quiet.of('pauses'), [
      { subject: 'pauses', state: 'ok', detail: 'nothing is paused' },
    ]);

    for (const argv of [
      ['pause', 'storefront', '--reason', 'the database moves'],
      ['pause', '--lane', lane],
    ]) {
      assert.equal((await runCommand(argv, { env })).code, 0);
    }
    await server.store.runs.insert(sampleRun('r1'), []);
    await server.store.outbox.add(
      'r1',
      ['a', 'b', 'c'].map((target) => ({ target, callback: sampleStatus('success') })),
      1,
    );
    for (const id of [1, 2]) await server.store.outbox.finish(id, 'dead', 2, 'gone');
    assert.deepEqual(quiet.of('previews'), []);
    await server.store.previews.note(
      samplePreview({
        state: 'ending',
        reason: 'its spec is gone',
        delivery: 'teardown:preview:r0',
      }),
    );

    const told = await examined(env);
    assert.equal(told.code, 0);
    assert.deepEqual(told.of('callbacks'), [
      {
        subject: 'callbacks',
        state: 'warn',
        detail: '2 were given up, so that GitHub or a webhook was not told',
        hint: '"mainsheet outbox --state dead" says why; mend that, then "mainsheet resend --all"',
      },
    ]);
    assert.deepEqual(told.of('previews'), [
      {
        subject: 'previews',
        state: 'warn',
        detail:
          'the preview of acme/storefront#7 by preview is left over, although it was to be taken down: its spec is gone',
        hint: '"mainsheet runs --spec preview" names its teardown; "mainsheet retry" does that again',
      },
    ]);
    const since = String.raw`since \d{4}-\d\d-\d\dT[\d:.]+Z by admin`;
    const [first, second, ...more] = told.of('pauses');
    assert.deepEqual([first?.state, second?.state, more], ['warn', 'warn', []]);
    assert.match(
      first?.detail ?? '',
      new RegExp(`^spec storefront is paused ${since}: the database moves$`),
    );
    assert.equal(first?.hint, 'let it go on with "mainsheet resume storefront"');
    assert.match(second?.detail ?? '', new RegExp(`^lane ${lane} is paused ${since}$`));
    assert.equal(
      second?.hint,
      String.raw`let it go on with "mainsheet resume --lane 'the shop'\''s lane'"`,
    );
  } finally {
    await server.close();
  }
});

test('a spec whose repository the App was taken from is told of, with what to do, and so in the list of specs', async () => {
  const here = await healthy();
  const server = await startServer();
  try {
    const env = { ...here, MAINSHEET_URL: server.url };
    const one = { kind: 'installation', installation: 7 } as const;
    const repositories = ['acme/storefront'];
    const told = async () => (await examined(env)).of('installations');
    await server.store.installations.note({ ...one, change: 'added', repositories }, 1);
    assert.deepEqual(await told(), []);
    await server.store.installations.note({ ...one, change: 'suspended' }, 2);
    assert.match((await told())[0]?.detail ?? '', /^the App is suspended for acme\/storefront/);
    await server.store.installations.note({ ...one, change: 'deleted' }, 3);
    assert.deepEqual(await told(), [
      {
        subject: 'installations',
        state: 'warn',
        detail: 'the App is not installed on acme/storefront, so storefront does not deploy',
        hint: 'install it there, or remove the spec',
      },
    ]);
    assert.match((await runCommand(['specs'], { env })).stdout, /acme\/storefront \(App removed\)/);
  } finally {
    await server.close();
  }
});

test('more dead callbacks than a page holds are told as at least so many', async () => {
  const server = await startServer();
  try {
    await server.store.runs.insert(sampleRun('r1'), []);
    const targets = Array.from({ length: 201 }, (_, index) => String(index));
    await server.store.outbox.add(
      'r1',
      targets.map((target) => ({ target, callback: sampleStatus('success') })),
      1,
    );
    for (const index of targets.keys()) {
      await server.store.outbox.finish(index + 1, 'dead', 2, 'gone');
    }
    const result = await examined({ ...(await healthy()), MAINSHEET_URL: server.url });
    assert.match(result.of('callbacks')[0]?.detail ?? '', /^200 or more were given up/);
  } finally {
    await server.close();
  }
});

test('a problem that the specs have both here and at the server is said once, and others all', async () => {
  const token = 'the-token-of-the-server';
  const env: Record<string, string> = { ...(await healthy()), MAINSHEET_ADMIN_TOKEN: token };
  const specs = env['MAINSHEET_DEPLOYMENTS'] ?? '';
  await writeFile(join(specs, 'b.yaml'), 'name: b\nodd: 1\n');
  const server = await startServer({ deployments: specs, token });
  try {
    const here = await examined({ ...env, MAINSHEET_URL: server.url });
    const problems = here.of('specs').map(({ detail }) => detail);
    assert.ok(problems.length > 0);
    assert.ok(problems.every((problem) => problem.startsWith(join(specs, 'b.yaml'))));
    assert.deepEqual(
      here.of("server's specs").map(({ state, detail }) => `${state}: ${detail}`),
      ['fail: the specs on disk are not valid; what is in use is the last valid set, 0 in number'],
    );

    await rm(join(specs, 'b.yaml'));
    await writeFile(join(specs, 'c.yaml'), 'name: c\nodd: 1\n');
    const elsewhere = await examined({ ...env, MAINSHEET_URL: server.url });
    assert.ok(elsewhere.of('specs').every(({ detail }) => /c\.yaml:/.test(detail)));
    const [, ...theirs] = elsewhere.of("server's specs");
    assert.deepEqual(
      theirs.map(({ detail }) => detail),
      problems.map((problem) => problem.slice(join(specs, '/').length)),
    );
  } finally {
    await server.close();
  }
});

test('a server that is said to be there has to answer, and another program is none', async () => {
  const env = await healthy();
  const missing = await examined({ ...env, MAINSHEET_URL: NOBODY_AT });
  assert.deepEqual(missing.failed, ['server']);
  const other = await startAnswering((_request, response) => response.end('hello'));
  try {
    const { port } = new URL(other.url);
    assert.deepEqual((await examined({ ...env, PORT: port })).failed, ['server']);
  } finally {
    await other.close();
  }
});

test('that steps share the user of Mainsheet is said, and what would change it', async () => {
  const result = await examined(await healthy());
  const [check] = result.of('step user');
  assert.equal(check?.state, 'warn');
  assert.match(check.detail, /^steps share the user of Mainsheet and can read what it can/);
  assert.match(check.hint ?? '', /MAINSHEET_STEP_USER/);
});

test(
  'that steps have a user of their own is proved, with what it can read all the same',
  needsRoot,
  async () => {
    const env = await apart();
    await chmod(dirname(env['MAINSHEET_DATA_DIR'] ?? ''), 0o711);
    const good = await examined(env);
    assert.deepEqual(good.failed, []);
    assert.equal(good.of('step user')[0]?.state, 'ok', good.of('step user')[0]?.detail);

    const file = join(root, 'readable-secret');
    await writeFile(file, 'value');
    await chmod(file, 0o644);
    const bad = await examined({ ...env, MAINSHEET_SECRET_TOKEN_FILE: file });
    assert.deepEqual(bad.failed, ['step user']);
    assert.equal(bad.of('step user')[0]?.detail, `61234:61235 can read ${file}`);
  },
);

test(
  'a directory that keeps the steps from the data directory is named, also before there is one',
  needsRoot,
  async () => {
    const env = await apart();
    const data = env['MAINSHEET_DATA_DIR'] ?? '';
    for (const path of [data, join(data, 'not', 'yet')]) {
      const result = await examined({ ...env, MAINSHEET_DATA_DIR: path });
      assert.deepEqual(result.failed, ['step user']);
      const [check, ...more] = result.of('step user');
      assert.deepEqual(more, []);
      assert.equal(
        check?.detail,
        `steps cannot run as 61234:61235: it may not pass through ${dirname(data)}`,
      );
      assert.equal(
        check?.hint,
        `set MAINSHEET_DATA_DIR to a directory that it gets to, or let everybody pass: chmod o+x ${dirname(data)}`,
      );
    }
  },
);

test('an App needs what the specs need, also as events, and only then', async (t) => {
  const forge = await createForge({ repositories: ['acme/storefront'], app: true });
  t.after(() => forge.close());
  const env: Record<string, string> = {
    ...(await healthy()),
    GITHUB_API_URL: forge.url,
    GITHUB_SERVER_URL: forge.url,
    GITHUB_APP_ID: forge.appId ?? '',
    GITHUB_APP_PRIVATE_KEY: forge.privateKey ?? '',
  };
  const aboutThem = async () =>
    (await examined(env))
      .of('GitHub')
      .flatMap(({ detail }) => (/\b(?:members|workflows)\b/.test(detail) ? detail : []));
  assert.deepEqual(await aboutThem(), []);
  const file = join(env['MAINSHEET_DEPLOYMENTS'] ?? '', 'a.yaml');
  await writeFile(file, `${SPEC}gates: [{ approve: { from: [team:acme/release] } }]\n`);
  assert.deepEqual(await aboutThem(), [
    'the App has members: no access, but needs read to look up who is in a team that a gate names',
    'the installation in acme has not accepted members: read',
  ]);
  await writeFile(file, SPEC);
  env['MAINSHEET_ADMINS'] = 'acme/platform';
  assert.match((await aboutThem())[0] ?? '', /who is in a team that MAINSHEET_ADMINS names$/);
  delete env['MAINSHEET_ADMINS'];
  await writeFile(
    file,
    SPEC.replace('run: echo hello', 'workflow: { repository: acme/infra, workflow: apply.yml }'),
  );
  assert.deepEqual(await aboutThem(), [
    'the App has actions: read, but needs write to start and cancel workflows',
  ]);
  await writeFile(file, `${SPEC}comments: true\n`);
  assert.partialDeepStrictEqual(
    (await examined(env)).of('GitHub').filter(({ detail }) => detail.includes('subscribe')),
    [
      {
        state: 'fail',
        detail:
          'the App does not subscribe to issue_comment, and a spec with comments: true needs it',
      },
      { state: 'fail' },
      {
        state: 'ok',
        detail:
          'the App does not subscribe to pull_request; specs with plan: true, or on: pull_request need it',
      },
    ],
  );
});

test('a program that a step names has to be on the PATH', async (t) => {
  const bin = await mkdtemp(join(tmpdir(), 'mainsheet-doctor-'));
  t.after(() => rm(bin, { recursive: true, force: true }));
  await writeFile(join(bin, 'tofu'), '#!/bin/sh\n', { mode: 0o755 });
  const specs = ['{ program: tofu }', '{}'].flatMap(
    (step) => parseSpecs('a.yaml', SPEC.replace('run: echo hello', `terraform: ${step}`)).specs,
  );
  assert.deepEqual(
    (await checkPrograms(specs, bin)).map(({ subject, state }) => [subject, state]),
    [
      ['tofu', 'ok'],
      ['terraform', 'fail'],
    ],
  );
});
