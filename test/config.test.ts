import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { pino } from 'pino';
import { describeSettings } from '../src/config/summary.ts';
import { PLAIN_VARIABLES, SECRET_VARIABLES } from '../src/config/variables.ts';
import { readConfig, type Config } from '../src/config.ts';

const needed = { GITHUB_WEBHOOK_SECRET: 'the-secret-of-the-hook' };
const pem = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .privateKey.export({ type: 'pkcs1', format: 'pem' })
  .toString();

function config(env: Record<string, string | undefined>, isTerminal = false): Config {
  const read = readConfig({ ...needed, ...env }, { isTerminal });
  assert.ok('config' in read, JSON.stringify(read));
  return read.config;
}

function problems(env: Record<string, string | undefined>): string[] {
  const read = readConfig(env, { isTerminal: false });
  assert.ok('problems' in read, 'the configuration was accepted');
  return read.problems;
}

function warnings(env: Record<string, string | undefined>): string[] {
  return readConfig({ ...needed, ...env }, { isTerminal: false }).warnings;
}

async function directory(t: TestContext, files: Record<string, string> = {}): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'mainsheet-config-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text);
  return path;
}

test('with nothing but the webhook secret set, the documented defaults count', () => {
  const { secrets, ...rest } = config({});
  assert.deepEqual(secrets.names(), []);
  assert.deepEqual(rest, {
    host: '127.0.0.1',
    port: 3000,
    dataDir: resolve('data'),
    databaseUrl: undefined,
    deployments: { kind: 'directory', path: resolve('deployments') },
    publicUrl: undefined,
    tunnel: undefined,
    concurrency: 4,
    stepUser: undefined,
    stepTargets: [],
    stepLimits: {},
    wayOut: { httpsProxy: undefined, httpProxy: undefined, noProxy: [], certificates: [] },
    servers: new Map(),
    secretFiles: [],
    adminToken: undefined,
    webhookSecrets: ['the-secret-of-the-hook'],
    github: {
      apiUrl: 'https://api.github.com',
      serverUrl: 'https://github.com',
      webhookAddresses: undefined,
      auth: undefined,
      signIn: undefined,
      writes: { perMinute: 80, perHour: 500 },
    },
    needsSetup: false,
    sessionKeys: [],
    admins: [],
    sopsKeys: [],
    trustedProxies: [],
    clientCertificates: undefined,
    traces: undefined,
    smtp: undefined,
    logLevel: 'info',
    logFormat: 'json',
    reconcileIntervalMs: 60_000,
    retention: { ageMs: 30 * 86_400_000, deliveries: 100_000, runs: 10_000 },
    shutdownGraceMs: 25_000,
    leaseMs: 30_000,
    failpoints: new Map(),
  });
});

test('every variable arrives where it belongs', () => {
  const set = config({
    HOST: '0.0.0.0',
    PORT: '0',
    MAINSHEET_DATA_DIR: '/var/lib/mainsheet',
    DATABASE_URL: 'postgres://user:pw@db/mainsheet',
    MAINSHEET_DEPLOYMENTS: '/etc/mainsheet',
    MAINSHEET_PUBLIC_URL: 'https://mainsheet.example/base/',
    MAINSHEET_TUNNEL: 'https://smee.io/new',
    MAINSHEET_CONCURRENCY: '16',
    MAINSHEET_EXECUTOR: 'local',
    MAINSHEET_ADMIN_TOKEN: 'an-admin-token-of-some-length',
    MAINSHEET_SHUTDOWN_GRACE: '1m30s',
    MAINSHEET_LEASE: '5s',
    MAINSHEET_GITHUB_WRITES_PER_MINUTE: '160',
    MAINSHEET_GITHUB_WRITES_PER_HOUR: '1000',
    GITHUB_TOKEN: 'ghp_token',
    GITHUB_APP_CLIENT_ID: 'Iv23liSample',
    GITHUB_APP_CLIENT_SECRET: 'the-client-secret',
    MAINSHEET_ADMINS: 'Alice, acme/platform-team',
    GITHUB_API_URL: 'http://127.0.0.1:4000/',
    GITHUB_SERVER_URL: 'http://127.0.0.1:4001',
    MAINSHEET_SMTP_URL: 'smtps://user:s3cret@mail.example:465',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://otel.example:4318/',
    OTEL_EXPORTER_OTLP_HEADERS: 'Authorization=Basic%20abc, x-scope=main',
    LOG_LEVEL: 'DEBUG',
    LOG_FORMAT: 'pretty',
  });
  assert.equal(set.host, '0.0.0.0');
  assert.equal(set.port, 0);
  assert.deepEqual(set.smtp, {
    url: 'smtps://user:s3cret@mail.example:465',
    address: 'smtps://mail.example:465',
    from: 'Mainsheet <mainsheet@mail.example>',
  });
  assert.deepEqual(set.traces, {
    url: 'https://otel.example:4318/v1/traces',
    headers: { authorization: 'Basic abc', 'x-scope': 'main' },
    service: 'mainsheet',
  });
  assert.equal(set.dataDir, '/var/lib/mainsheet');
  assert.equal(set.databaseUrl, 'postgres://user:pw@db/mainsheet');
  assert.deepEqual(set.deployments, { kind: 'directory', path: '/etc/mainsheet' });
  assert.equal(set.publicUrl, 'https://mainsheet.example/base');
  assert.equal(set.concurrency, 16);
  assert.equal(set.adminToken, 'an-admin-token-of-some-length');
  assert.equal(set.shutdownGraceMs, 90_000);
  assert.equal(set.leaseMs, 5000);
  assert.deepEqual(set.github, {
    apiUrl: 'http://127.0.0.1:4000',
    serverUrl: 'http://127.0.0.1:4001',
    webhookAddresses: undefined,
    auth: { kind: 'token', token: 'ghp_token' },
    signIn: { clientId: 'Iv23liSample', clientSecret: 'the-client-secret' },
    writes: { perMinute: 160, perHour: 1000 },
  });
  assert.deepEqual(set.admins, [
    { login: 'Alice' },
    { team: { org: 'acme', slug: 'platform-team' } },
  ]);
  assert.equal(set.logLevel, 'debug');
  assert.equal(set.logFormat, 'pretty');
});

test('retention is an age from a day on, or none, and numbers', () => {
  const set = config({
    MAINSHEET_RETENTION: '90d',
    MAINSHEET_RETENTION_DELIVERIES: '5',
    MAINSHEET_RETENTION_RUNS: '7',
  });
  assert.deepEqual(set.retention, { ageMs: 90 * 86_400_000, deliveries: 5, runs: 7 });
  assert.equal(config({ MAINSHEET_RETENTION: '0' }).retention.ageMs, 0);
  assert.deepEqual(problems({ MAINSHEET_RETENTION: '1h', GITHUB_WEBHOOK_SECRET: 's' }), [
    'MAINSHEET_RETENTION is "1h": set a duration from 1d to 3650d, such as 30d, or 0 for ever',
  ]);
});

test('logs are pretty on a terminal unless something else is asked for', () => {
  assert.equal(config({}, true).logFormat, 'pretty');
  assert.equal(config({ LOG_FORMAT: 'json' }, true).logFormat, 'json');
});

test('all problems are reported at once, each with its variable and what to do', () => {
  assert.deepEqual(
    problems({
      HOST: 'not a host',
      PORT: '70000',
      DATABASE_URL: 'mysql://root:hunter2@db',
      MAINSHEET_DEPLOYMENTS: 'github:acme',
      MAINSHEET_PUBLIC_URL: 'https://user:hunter2@mainsheet.example',
      MAINSHEET_CONCURRENCY: '0',
      MAINSHEET_EXECUTOR: 'kubernetes',
      MAINSHEET_ADMIN_TOKEN: 'hunter2 with spaces',
      MAINSHEET_SHUTDOWN_GRACE: '25',
      MAINSHEET_LEASE: '1h',
      GITHUB_APP_ID: '12',
      GITHUB_APP_CLIENT_ID: 'Iv23li',
      MAINSHEET_ADMINS: 'alice, acme/',
      GITHUB_API_URL: 'api.github.com',
      LOG_LEVEL: 'loud',
    }),
    [
      'DATABASE_URL is no PostgreSQL URL: write postgres://user:password@host:5432/name, or remove it to use SQLite',
      'GITHUB_API_URL is no http or https URL: write it whole, such as https://mainsheet.example',
      'GITHUB_APP_CLIENT_SECRET is not set, but GITHUB_APP_CLIENT_ID is: log-in with GitHub needs both',
      'GITHUB_APP_PRIVATE_KEY is not set, but GITHUB_APP_ID is: a GitHub App needs both',
      'GITHUB_WEBHOOK_SECRET is not set: set it to the secret of the webhook ("openssl rand -hex 32" makes one), or GITHUB_WEBHOOK_SECRET_FILE to a file with it',
      'HOST is no host name or IP address: write one such as 0.0.0.0',
      'LOG_LEVEL is "loud": set one of trace, debug, info, warn, error, fatal, silent',
      'MAINSHEET_ADMINS has "acme/": write users and teams like alice, acme/platform',
      'MAINSHEET_ADMIN_TOKEN has a space or a character outside ASCII: take one that fits into an HTTP header',
      'MAINSHEET_CONCURRENCY is "0": set a whole number from 1 to 1000',
      'MAINSHEET_DEPLOYMENTS is "github:acme": write github:owner/repo[/path][@ref]',
      'MAINSHEET_EXECUTOR is "kubernetes", which is not available yet: set it to local, or remove it',
      'MAINSHEET_LEASE is "1h": set a duration from 1s to 10m, such as 30s',
      'MAINSHEET_PUBLIC_URL has a user, a query or a fragment: leave only https://host/path',
      'MAINSHEET_SHUTDOWN_GRACE is "25": set a duration of at most 1h, such as 25s',
      'PORT is "70000": set a whole number from 0 to 65535',
    ],
  );
});

test('a variable that is empty counts as not set', () => {
  assert.equal(config({ PORT: '', GITHUB_TOKEN: '', GITHUB_APP_ID: ' ' }).port, 3000);
  assert.match(
    problems({ GITHUB_WEBHOOK_SECRET: '' })[0] ?? '',
    /^GITHUB_WEBHOOK_SECRET is not set/,
  );
});

test('several webhook secrets stand one a line, and a comma is part of a secret', () => {
  const secrets = (text: string) => config({ GITHUB_WEBHOOK_SECRET: text }).webhookSecrets;
  assert.deepEqual(secrets(' new \r\nold\n\nolder,\n'), ['new', 'old', 'older,']);
  assert.deepEqual(secrets('k9,Zq7/9PzT4vW1xY8r'), ['k9,Zq7/9PzT4vW1xY8r']);
  assert.match(problems({ GITHUB_WEBHOOK_SECRET: ' \n \n' })[0] ?? '', /holds no secret/);
});

test('a webhook secret that can be guessed, and one that looks like several, are warned about', () => {
  const warnings = (text: string) =>
    readConfig({ GITHUB_WEBHOOK_SECRET: text }, { isTerminal: false }).warnings.join();
  const long = 'x'.repeat(16);
  assert.equal(warnings(long), '');
  assert.match(warnings(`${long}\n${long.slice(1)}`), /can be guessed: take 16 or more/);
  assert.match(warnings(`${long},${long}`), /several secrets stand one a line/);
  assert.equal(warnings(`${long},${long}\n${long}`), '');
});

test('a command that takes no webhooks needs no webhook secret', () => {
  const read = readConfig({}, { isTerminal: false, requireWebhookSecret: false });
  assert.ok('config' in read);
  assert.deepEqual(read.config.webhookSecrets, []);
});

test('a secret may come from a file, whose last line break is not part of it', async (t) => {
  const path = await directory(t, {
    hook: 'new\nold\n',
    token: 'ghp_file\r\n',
    key: pem,
    empty: '\n',
  });
  const set = config({
    GITHUB_WEBHOOK_SECRET: undefined,
    GITHUB_WEBHOOK_SECRET_FILE: join(path, 'hook'),
    GITHUB_TOKEN_FILE: join(path, 'token'),
  });
  assert.deepEqual(set.webhookSecrets, ['new', 'old']);
  assert.deepEqual(set.github.auth, { kind: 'token', token: 'ghp_file' });
  const app = config({ GITHUB_APP_ID: '12', GITHUB_APP_PRIVATE_KEY_FILE: join(path, 'key') });
  assert.deepEqual(app.github.auth, { kind: 'app', appId: '12', privateKey: pem.trim() });

  const wrong = problems({
    GITHUB_WEBHOOK_SECRET: 'both',
    GITHUB_WEBHOOK_SECRET_FILE: join(path, 'hook'),
    GITHUB_TOKEN_FILE: join(path, 'absent'),
    MAINSHEET_ADMIN_TOKEN_FILE: path,
    DATABASE_URL_FILE: join(path, 'empty'),
  });
  assert.equal(wrong.length, 4, wrong.join('\n'));
  assert.match(wrong[0] ?? '', /^DATABASE_URL_FILE names an empty file, /);
  assert.match(wrong[1] ?? '', /^GITHUB_TOKEN_FILE cannot be used: ENOENT.*absent/);
  assert.match(
    wrong[2] ?? '',
    /^GITHUB_WEBHOOK_SECRET and GITHUB_WEBHOOK_SECRET_FILE are both set/,
  );
  assert.match(
    wrong[3] ?? '',
    /^MAINSHEET_ADMIN_TOKEN_FILE cannot be used: .* not a regular file$/,
  );
});

test("a GitHub App's key may be written on one line, and one that is no key is refused without showing it", () => {
  const oneLine = pem.trim().replaceAll('\n', String.raw`\n`);
  const set = config({ GITHUB_APP_ID: 'Iv23liExample', GITHUB_APP_PRIVATE_KEY: oneLine });
  assert.deepEqual(set.github.auth, {
    kind: 'app',
    appId: 'Iv23liExample',
    privateKey: pem.trim(),
  });

  const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();
  for (const key of ['hunter2', pem.slice(0, 200), elliptic]) {
    const [problem = '', ...others] = problems({
      ...needed,
      GITHUB_APP_ID: '12',
      GITHUB_APP_PRIVATE_KEY: key,
    });
    assert.deepEqual(others, []);
    assert.match(
      problem,
      /^GITHUB_APP_PRIVATE_KEY is no RSA private key in PEM form: use the whole/,
    );
    assert.ok(!problem.includes(key));
  }
});

test('a GitHub App goes before a token, with a warning', () => {
  const env = { GITHUB_APP_ID: '12', GITHUB_APP_PRIVATE_KEY: pem, GITHUB_TOKEN: 'ghp' };
  assert.equal(config(env).github.auth?.kind, 'app');
  assert.deepEqual(warnings(env), [
    'GITHUB_TOKEN is not used, because GITHUB_APP_ID is set: remove one of them',
  ]);
});

test('a git server is an http(s) URL, and one that is not is refused without showing its password', () => {
  for (const serverUrl of [
    'file:///srv/git',
    'ext::sh -c touch% pwned',
    'ssh://git@github.com',
    'git@github.com:acme',
    '/srv/git',
    '--upload-pack=x',
    'https://user:Geheim@github.com',
    'https://github.com/?a=b',
  ]) {
    const [problem = '', ...others] = problems({ ...needed, GITHUB_SERVER_URL: serverUrl });
    assert.match(problem, /^GITHUB_SERVER_URL (?:is no http or https URL|has a user)/, serverUrl);
    assert.ok(others.length === 0 && !problem.includes('Geheim'));
    const [other = ''] = problems({
      ...needed,
      MAINSHEET_SERVERS: `work gitlab ${serverUrl}`,
    });
    assert.match(other, /^MAINSHEET_SERVERS/, serverUrl);
    assert.ok(!other.includes('Geheim'));
  }
});

test('of GitHub Enterprise Server one address is enough', () => {
  const both = { apiUrl: 'https://ghes.example/api/v3', serverUrl: 'https://ghes.example' };
  const urls = (env: Record<string, string>) => {
    const { apiUrl, serverUrl } = config(env).github;
    return { apiUrl, serverUrl };
  };
  assert.deepEqual(urls({ GITHUB_SERVER_URL: 'https://ghes.example/' }), both);
  assert.deepEqual(urls({ GITHUB_API_URL: 'https://ghes.example/api/v3/' }), both);
});

for (const [text, expected] of [
  ['github:acme/specs', { repository: 'acme/specs', path: '', ref: undefined }],
  ['github:acme/specs@v1', { repository: 'acme/specs', path: '', ref: 'v1' }],
  ['github:acme/specs/a/b/', { repository: 'acme/specs', path: 'a/b', ref: undefined }],
  [
    'github:acme/my.specs/a@release/1',
    { repository: 'acme/my.specs', path: 'a', ref: 'release/1' },
  ],
] as const) {
  test(`deployments come from a repository: ${text}`, () => {
    assert.deepEqual(config({ MAINSHEET_DEPLOYMENTS: text }).deployments, {
      kind: 'github',
      ...expected,
    });
  });
}

for (const text of [
  'github:',
  'github:acme',
  'github:acme/..',
  'github:acme/specs/../../etc',
  'github:acme/specs@--upload-pack=x',
  'github:acme/specs@a..b',
  'github:acme/specs@',
  'github:-/x@a b',
]) {
  test(`deployments are refused: ${text}`, () => {
    assert.match(
      problems({ ...needed, MAINSHEET_DEPLOYMENTS: text })[0] ?? '',
      /^MAINSHEET_DEPLOYMENTS is /,
    );
  });
}

test('secrets that specs name come from variables, from files and from a directory', async (t) => {
  const path = await directory(t, {
    IN_FILE: 'from a file\n',
    IN_DIR: 'line 1\nline 2\n',
    BOTH: 'not this',
  });
  const { secrets } = config({
    MAINSHEET_SECRET_A: 'value',
    MAINSHEET_SECRET_FILE: 'a secret called FILE',
    MAINSHEET_SECRET_EMPTY: '',
    MAINSHEET_SECRET_BOTH: 'this',
    MAINSHEET_SECRET_F_FILE: join(path, 'IN_FILE'),
    MAINSHEET_SECRETS_DIR: path,
  });
  assert.deepEqual(secrets.names(), ['A', 'BOTH', 'F', 'FILE', 'IN_DIR', 'IN_FILE']);
  assert.equal(secrets.get('A'), 'value');
  assert.equal(secrets.get('FILE'), 'a secret called FILE');
  assert.equal(secrets.get('BOTH'), 'this');
  assert.equal(secrets.get('F'), 'from a file');
  assert.equal(secrets.get('IN_DIR'), 'line 1\nline 2');
  for (const name of ['EMPTY', 'ABSENT', '', '../IN_DIR', '/etc/passwd', 'toString', '.']) {
    assert.equal(secrets.get(name), undefined, name);
  }
});

test('a secret that Kubernetes rotates is seen at the next look-up', async (t) => {
  const path = await directory(t);
  for (const [version, value] of [
    ['..2026_1', 'old'],
    ['..2026_2', 'new'],
  ] as const) {
    await mkdir(join(path, version));
    await writeFile(join(path, version, 'TOKEN'), value);
  }
  await symlink('..2026_1', join(path, '..data'));
  await symlink('..data/TOKEN', join(path, 'TOKEN'));
  const read = readConfig({ ...needed, MAINSHEET_SECRETS_DIR: path }, { isTerminal: false });
  assert.ok('config' in read);
  assert.deepEqual(read.warnings, []);
  const { secrets } = read.config;
  assert.deepEqual(secrets.names(), ['TOKEN']);
  assert.equal(secrets.get('TOKEN'), 'old');
  await symlink('..2026_2', join(path, '..data_tmp'));
  await rename(join(path, '..data_tmp'), join(path, '..data'));
  assert.equal(secrets.get('TOKEN'), 'new');
});

test('a secret that is there but cannot be read is an error, not a missing secret', async (t) => {
  const path = await directory(t);
  await mkdir(join(path, 'TOKEN'));
  const { secrets } = config({ MAINSHEET_SECRETS_DIR: path });
  assert.throws(() => secrets.get('TOKEN'), { code: 'secret-unreadable' });
});

test('secrets that are set wrongly are problems', async (t) => {
  const path = await directory(t, { a: 'x', HUGE: 'x'.repeat(70_000) });
  const found = problems({
    ...needed,
    MAINSHEET_SECRET_A: 'value',
    MAINSHEET_SECRET_A_FILE: join(path, 'a'),
    'MAINSHEET_SECRET_lower-case': 'value',
    MAINSHEET_SECRET_B_FILE: join(path, 'absent'),
    MAINSHEET_SECRET_C_FILE: join(path, 'HUGE'),
    MAINSHEET_SECRETS_DIR: join(path, 'absent'),
  });
  assert.equal(found.length, 5, found.join('\n'));
  assert.match(found[0] ?? '', /^MAINSHEET_SECRETS_DIR cannot be read: ENOENT/);
  assert.match(found[1] ?? '', /^MAINSHEET_SECRET_A and MAINSHEET_SECRET_A_FILE are both set/);
  assert.match(found[2] ?? '', /^MAINSHEET_SECRET_B_FILE cannot be used: ENOENT/);
  assert.match(found[3] ?? '', /^MAINSHEET_SECRET_C_FILE cannot be used: .* 70000 bytes/);
  assert.match(found[4] ?? '', /^MAINSHEET_SECRET_lower-case does not name a secret/);
  assert.deepEqual(warnings({ MAINSHEET_SECRETS_DIR: path }), [
    'MAINSHEET_SECRETS_DIR has a file "a" that no spec can name: use A-Z, 0-9 and _, beginning with a letter',
  ]);
});

test('a variable that Mainsheet does not know is a warning with the nearest one', () => {
  assert.deepEqual(
    warnings({
      MAINSHEET_CONCURENCY: '8',
      MAINSHEET_LOG_LEVEL: 'debug',
      MAINSHEET_COMPLETELY_DIFFERENT: '1',
      MAINSHEET_PORT: '8080',
      MAINSHEET_DATA_DIR: '/data',
      MAINSHEET_SECRET_TOKEN: 'x',
    }),
    [
      'MAINSHEET_COMPLETELY_DIFFERENT is not a variable that Mainsheet knows: remove it',
      'MAINSHEET_CONCURENCY is not a variable that Mainsheet knows: did you mean MAINSHEET_CONCURRENCY?',
      'MAINSHEET_LOG_LEVEL is not a variable that Mainsheet knows: did you mean LOG_LEVEL?',
      'MAINSHEET_PORT is not a variable that Mainsheet knows: did you mean PORT?',
    ],
  );
});

test('what Kubernetes and Mainsheet itself set is no reason for a warning', () => {
  assert.deepEqual(
    warnings({
      MAINSHEET_SERVICE_HOST: '10.0.0.1',
      MAINSHEET_SERVICE_PORT: '80',
      MAINSHEET_SERVICE_PORT_HTTP: '80',
      MAINSHEET_PORT: 'tcp://10.0.0.1:80',
      MAINSHEET_PORT_80_TCP: 'tcp://10.0.0.1:80',
      MAINSHEET_PORT_80_TCP_ADDR: '10.0.0.1',
      MAINSHEET_RUN_ID: '01run',
      MAINSHEET_URL: 'http://127.0.0.1:3000',
    }),
    [],
  );
});

test('an admin token that is shorter than 16 characters is refused', () => {
  assert.deepEqual(problems({ ...needed, MAINSHEET_ADMIN_TOKEN: 'fifteen-letters' }), [
    'MAINSHEET_ADMIN_TOKEN can be guessed: set 16 or more random characters, such as those of "openssl rand -hex 32"',
  ]);
  assert.equal(config({ MAINSHEET_ADMIN_TOKEN: 'sixteen-letters-' }).adminToken?.length, 16);
});

test('no way of printing the configuration, or a part of it, shows a secret', () => {
  const base = {
    GITHUB_WEBHOOK_SECRET: 'hunter2-hook',
    MAINSHEET_ADMIN_TOKEN: 'hunter2-admin-token',
    DATABASE_URL: 'postgres://user:hunter2-db@db/mainsheet',
    MAINSHEET_SECRET_TOKEN: 'hunter2-secret',
    GITHUB_APP_CLIENT_ID: 'Iv23li',
    GITHUB_APP_CLIENT_SECRET: 'hunter2-client',
  };
  for (const set of [
    config({ ...base, GITHUB_TOKEN: 'hunter2-token' }),
    config({ ...base, GITHUB_APP_ID: '12', GITHUB_APP_PRIVATE_KEY: pem }),
  ]) {
    const lines: string[] = [];
    const logger = pino({}, { write: (line: string) => void lines.push(line) });
    const { config: whole, ...parts } = {
      config: set,
      github: set.github,
      auth: set.github.auth,
      hooks: set.webhookSecrets,
      secrets: set.secrets,
    };
    logger.info({ config: whole, parts }, 'printed');
    for (const value of [whole, parts]) {
      lines.push(JSON.stringify(value), inspect(value, { depth: 9, showHidden: true }));
    }
    const printed = lines.join('\n');
    assert.ok(printed.includes('127.0.0.1') && printed.includes('***'), printed);
    assert.ok(!printed.includes('hunter2') && !printed.includes('PRIVATE KEY'), printed);
  }
});

test('the user of the steps is a name or numbers, and never root', () => {
  const { name: _, ...numbers } = config({ MAINSHEET_STEP_USER: '61234:61235' }).stepUser ?? {};
  assert.deepEqual(numbers, { uid: 61_234, gid: 61_235 });
  assert.deepEqual(config({ MAINSHEET_STEP_USER: '61234' }).stepUser, {
    uid: 61_234,
    gid: 61_234,
    name: '61234',
  });
  const daemon = config({ MAINSHEET_STEP_USER: 'daemon' }).stepUser;
  assert.equal(daemon?.name, 'daemon');
  assert.ok(daemon.uid > 0 && daemon.gid > 0);

  const refused: [string, RegExp][] = [
    [
      'no-such-user-here',
      /a user that this machine does not know: make the user, or write uid:gid$/,
    ],
    ['root', /which is root: name a user and a group without rights/],
    ['0:61235', /which is root/],
    ['61234:0', /which is root/],
    ['61234:deployer', /write a user's name, uid or uid:gid/],
    ['-u', /write a user's name, uid or uid:gid/],
    ['a b', /write a user's name, uid or uid:gid/],
    ['4294967295', /numbers go up to 4294967294/],
  ];
  for (const [text, problem] of refused) {
    const [said = '', ...more] = problems({ ...needed, MAINSHEET_STEP_USER: text });
    assert.match(said, /^MAINSHEET_STEP_USER is /);
    assert.match(said, problem);
    assert.deepEqual(more, []);
  }
  const own = process.getuid?.() ?? 0;
  if (own !== 0) {
    const [said = ''] = problems({ ...needed, MAINSHEET_STEP_USER: String(own) });
    assert.match(said, /the user that Mainsheet itself runs as/);
  }
});

test('every file and directory that holds secrets is known', async (t) => {
  const path = await directory(t, { hook: 'secret', ssh: 'key' });
  const { secretFiles } = config({
    GITHUB_WEBHOOK_SECRET: undefined,
    GITHUB_WEBHOOK_SECRET_FILE: join(path, 'hook'),
    MAINSHEET_SECRET_SSH_FILE: join(path, 'ssh'),
    MAINSHEET_SECRETS_DIR: path,
  });
  assert.deepEqual(secretFiles.sort(), [path, join(path, 'hook'), join(path, 'ssh')].sort());
});

test('limits of steps are read all at once, and each mistake says how to write it', () => {
  assert.deepEqual(config({ MAINSHEET_STEP_LIMITS: 'cpu=10m, memory=2Gi,files=1024' }).stepLimits, {
    cpu: 600,
    memory: 2 ** 31,
    files: 1024,
  });
  const refused: [string, RegExp][] = [
    ['disk=1Gi', /names "disk": write it like cpu=10m,memory=2Gi/],
    ['cpu=1m,cpu=2m', /names cpu twice/],
    ['memory=lots', /has "lots" for memory: write a size from 16Mi/],
    ['cpu', /has "" for cpu: write whole seconds/],
  ];
  for (const [text, problem] of refused) {
    const [said = ''] = problems({ ...needed, MAINSHEET_STEP_LIMITS: text });
    assert.match(said, /^MAINSHEET_STEP_LIMITS /);
    assert.match(said, problem);
  }
});

test('every mistake in the limits of steps is listed, each once', () => {
  const text = 'disk=1Gi,cpu=lots,memory=1,memory=2Gi,memory=3Gi,files=64';
  assert.deepEqual(problems({ ...needed, MAINSHEET_STEP_LIMITS: text }), [
    'MAINSHEET_STEP_LIMITS has "1" for memory: write a size from 16Mi to 1024Ti, such as 2Gi',
    'MAINSHEET_STEP_LIMITS has "lots" for cpu: write whole seconds from 1s to 24h, such as 10m',
    'MAINSHEET_STEP_LIMITS names "disk": write it like cpu=10m,memory=2Gi,processes=512,files=1024',
    'MAINSHEET_STEP_LIMITS names memory twice: write it like cpu=10m,memory=2Gi,processes=512,files=1024',
  ]);
});

test('git servers are named with type, URL and token; the token is in no printed form', async (t) => {
  const path = await directory(t, { token: 'glpat-secret\n' });
  const env = {
    MAINSHEET_SERVERS:
      'work gitlab https://gitlab.example.com/,\n my-forge  gitea http://forge:3000',
    MAINSHEET_SERVER_WORK_TOKEN_FILE: join(path, 'token'),
  };
  const { servers, secretFiles } = config(env);
  assert.deepEqual(servers.get('work'), {
    name: 'work',
    type: 'gitlab',
    url: 'https://gitlab.example.com',
    token: 'glpat-secret',
  });
  assert.equal(servers.get('my-forge')?.token, undefined);
  assert.deepEqual(secretFiles, [join(path, 'token')]);
  for (const value of [config(env), servers, servers.get('work')]) {
    for (const text of [JSON.stringify(value), inspect(value, { depth: 9 })]) {
      assert.doesNotMatch(text, /glpat-secret/);
    }
  }
  assert.equal(
    config({ ...env, MAINSHEET_SERVER_MY_FORGE_TOKEN: 'abc' }).servers.get('my-forge')?.token,
    'abc',
  );
});

test('what is wrong with git servers is said, without a token', () => {
  const wrongOf = (servers: string, more = {}) =>
    problems({ ...needed, MAINSHEET_SERVERS: servers, ...more }).join('\n');
  assert.match(wrongOf('work https://x.example'), /whose type is none of gitlab, bitbucket, gitea/);
  assert.match(wrongOf('work gitlab'), /the URL of work is no http or https URL/);
  assert.match(wrongOf('work gitlab https://u:p@x.example'), /has a user/);
  assert.match(wrongOf('Work gitlab https://x.example'), /the name "Work"/);
  assert.match(wrongOf('a gitlab https://x.example, a gitea https://y.example'), /"a" twice/);
  const token = { MAINSHEET_SERVER_A_TOKEN: 'two words' };
  assert.match(wrongOf('a gitlab https://x.example', token), /TOKEN is no token: copy it whole/);
  assert.doesNotMatch(wrongOf('a gitlab https://x.example', token), /two words/);
  assert.deepEqual(warnings({ MAINSHEET_SERVER_WROK_TOKEN: 'x' }), [
    'MAINSHEET_SERVER_WROK_TOKEN is of no server in MAINSHEET_SERVERS: name the server there, or remove it',
  ]);
});

test('client certificates need an authority, and a key that is that of the certificate', async (t) => {
  const tls = fileURLToPath(new URL('support/tls/', import.meta.url));
  const path = await directory(t, { 'other.key': pem });
  const ca = { MAINSHEET_CLIENT_CA_FILE: join(tls, 'ca.pem') };
  const listener = {
    ...ca,
    MAINSHEET_TLS_PORT: '8443',
    MAINSHEET_TLS_CERT_FILE: join(tls, 'server.pem'),
    MAINSHEET_TLS_KEY_FILE: join(tls, 'server-key.pem'),
  };
  const read = config(listener);
  assert.equal(read.clientCertificates?.listener?.port, 8443);
  assert.deepEqual(read.secretFiles, [join(tls, 'server-key.pem')]);
  for (const text of [JSON.stringify(read), inspect(read, { depth: 9 })]) {
    assert.doesNotMatch(text, /PRIVATE KEY/);
  }
  const header = { ...ca, MAINSHEET_CLIENT_CERTIFICATE_HEADER: 'Ssl-Client-Cert' };
  const proxies = { MAINSHEET_TRUSTED_PROXIES: '10.0.0.0/8' };
  assert.equal(config({ ...header, ...proxies }).clientCertificates?.header, 'ssl-client-cert');
  const wrongOf = (env: object) => problems({ ...needed, ...env }).join('\n');
  assert.match(wrongOf(header), /MAINSHEET_TRUSTED_PROXIES is not set/);
  assert.match(wrongOf({ ...listener, MAINSHEET_CLIENT_CA_FILE: '' }), /CLIENT_CA_FILE is not set/);
  assert.match(
    wrongOf({ ...ca, MAINSHEET_CLIENT_CA_FILE: join(tls, 'server.pem') }),
    /no certificates of authorities/,
  );
  assert.match(wrongOf({ ...listener, MAINSHEET_TLS_KEY_FILE: '' }), /TLS_KEY_FILE is not set/);
  assert.match(
    wrongOf({ ...listener, MAINSHEET_TLS_KEY_FILE: join(path, 'other.key') }),
    /is not the key of MAINSHEET_TLS_CERT_FILE/,
  );
  assert.match(wrongOf({ ...listener, MAINSHEET_TLS_PORT: '99999' }), /is no port/);
});

test("GitHub's webhooks may be kept to networks, or to what GitHub says of itself", () => {
  const of = (text: string) => config({ GITHUB_WEBHOOK_ADDRESSES: text }).github.webhookAddresses;
  assert.equal(of('github'), 'github');
  assert.deepEqual(of('192.0.2.0/24, 2001:db8::/32'), ['192.0.2.0/24', '2001:db8::/32']);
  assert.match(
    problems({ ...needed, GITHUB_WEBHOOK_ADDRESSES: 'github, x' }).join(),
    /GITHUB_WEBHOOK_ADDRESSES has "github", which is no address or network/,
  );
});

test('what is shown of the settings names every variable, and has no secret in it', () => {
  const all = [...PLAIN_VARIABLES, ...SECRET_VARIABLES];
  const secret = 'h1dden';
  const hidden = [...SECRET_VARIABLES, 'MAINSHEET_TUNNEL', 'HTTPS_PROXY'];
  const env = {
    ...Object.fromEntries(all.map((name) => [name, `https://alice:${secret}@host/x`])),
    ...Object.fromEntries(hidden.map((name) => [name, secret])),
    GITHUB_TOKEN: '',
    GITHUB_TOKEN_FILE: `/run/${secret}`,
    MAINSHEET_SECRET_A: secret,
    HOST: ' ',
  };
  const shown = describeSettings(env);
  assert.doesNotMatch(JSON.stringify(shown), new RegExp(secret));
  const of = (name: string) => shown.find((one) => one.name === name);
  for (const name of all) assert.ok(of(name), name);
  const plain = { name: 'MAINSHEET_PUBLIC_URL', isSet: true, isSecret: false };
  assert.deepEqual(of(plain.name), { ...plain, value: 'https://***@host/x' });
  const unset = { name: 'HOST', isSet: false, isSecret: false, value: undefined };
  assert.deepEqual(of('HOST'), unset);
  for (const name of hidden) {
    assert.deepEqual(of(name), { name, isSet: true, isSecret: true, value: undefined });
  }
});
