import { createHash, createHmac, randomBytes } from 'node:crypto';
import SQLite from 'better-sqlite3';
import { fillStore, LOG_LINES, REPOSITORIES, shaOf } from './lists-store.ts';
import { median, row } from './load.ts';
import { startServe, TOKEN } from './serve.ts';

/**
 * What is asked of a store with many deliveries and runs: each answer is to take less than 50 ms at p50. It is asked by the holder of the
 * admin token, by a person who may read half of the repositories, and by one who may read two. CPU time is that of the whole process.
 */

const DELIVERIES = Number(process.env['BENCH_ROWS'] ?? 1_000_000);
const RUNS = DELIVERIES / 10;
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 20);
/** Only questions with this text in them. */
const ONLY = process.env['BENCH_ONLY'] ?? '';
const MOST_MS = 50;

/** Who asks, and the repositories that they may read. */
const PEOPLE = [
  { login: 'half', id: 2, canRead: (n: number) => n % 2 === 0 },
  { login: 'two', id: 3, canRead: (n: number) => n === 8 || n === 508 },
] as const;

/** Somewhere in the middle of the tables, and of repositories that both people may read. */
const MIDDLE = Math.floor(RUNS / 2 / REPOSITORIES) * REPOSITORIES + 508;
/** Of the newest, whose payload is whole: the first has no run, the other is of a pull request. */
const NEWEST = DELIVERIES - 2 * REPOSITORIES * 10 + 5081;
const PULL = NEWEST + 6;

const FOR_ALL = [
  '/api/v1/overview',
  '/api/v1/deliveries?limit=100',
  `/api/v1/deliveries?limit=100&cursor=${cursor(DELIVERIES / 2)}`,
  '/api/v1/deliveries?repository=acme/r508',
  '/api/v1/deliveries?event=pull_request',
  '/api/v1/deliveries?event=release',
  '/api/v1/deliveries?state=failed',
  `/api/v1/deliveries/old-${MIDDLE * 10}`,
  `/api/v1/deliveries/old-${MIDDLE * 10}/explain`,
  '/api/v1/runs?limit=100',
  `/api/v1/runs?limit=100&cursor=${cursor(MIDDLE)}`,
  `/api/v1/runs/run-${MIDDLE}`,
  '/api/v1/runs?spec=spec-8',
  '/api/v1/runs?repository=acme/r508',
  '/api/v1/runs?lane=acme/r508/production',
  '/api/v1/runs?state=succeeded',
  '/api/v1/runs?state=cancelled',
  '/api/v1/runs?state=queued',
  '/api/v1/runs?spec=spec-8&state=failed',
  '/api/v1/runs?spec=spec-8&state=cancelled',
  '/api/v1/runs?repository=acme/r508&state=cancelled',
  `/api/v1/runs?delivery=old-${MIDDLE * 10}`,
  `/api/v1/runs?sha=${shaOf(MIDDLE * 10)}`,
  '/api/v1/specs',
  '/api/v1/environments',
  '/api/v1/environments/spec-8/history',
  '/api/v1/outbox',
  '/api/v1/outbox?state=dead',
  '/api/v1/insights',
  '/api/v1/automation',
  '/api/v1/audit',
  '/api/v1/audit?actor=github:person-3',
  '/api/v1/audit?action=run.cancel',
  '/',
  '/runs',
  '/runs?state=failed',
  `/runs/run-${MIDDLE}`,
  '/deliveries',
  '/deliveries?repository=acme/r508',
  `/deliveries/old-${MIDDLE * 10}`,
  '/insights',
  '/insights?spec=spec-8',
  '/specs',
  '/specs/spec-8',
  '/specs/spec-8/history',
  '/specs/spec-8/history?day=2026-11-01',
  '/callbacks',
  '/callbacks?state=dead',
  '/activity',
  '/activity?actor=github:person-3',
  '/automation',
  '/hooks',
  `/why?q=${shaOf(MIDDLE * 10)}`,
  `/why?q=acme/r508@${shaOf(NEWEST)}`,
  `/why?q=${shaOf(NEWEST)}`,
  '/why?q=deadbeef',
  '/why?q=acme/r508@deadbeef',
  `/why?q=acme/r508%23${PULL}`,
  '/why?q=acme/r508%23123',
];
const FOR_ADMINS = [
  '/metrics',
  '/readyz',
  '/settings',
  `/runs/run-${RUNS - 20}`,
  `/runs/run-${RUNS - 20}/log/1?from=${LOG_LINES / 2}`,
];

const key = randomBytes(32).toString('hex');
const sessions = PEOPLE.map((person) => ({
  ...person,
  session: randomBytes(32).toString('base64url'),
}));
const serve = await startServe('lists', 'mainsheet serve', {
  prepare,
  specs: 'kind: hook\nid: tenants\nsender: { header: X-Token }\n',
  env: {
    MAINSHEET_SESSION_KEY: key,
    GITHUB_APP_CLIENT_ID: 'Iv1.bench',
    GITHUB_APP_CLIENT_SECRET: 'bench-secret-of-the-app',
  },
  github: permission,
});
const slow: string[] = [];
try {
  console.log(`${DELIVERIES.toLocaleString('en')} deliveries, ${RUNS.toLocaleString('en')} runs`);
  await askAll('the admin token', { Authorization: `Bearer ${TOKEN}` }, [
    ...FOR_ALL,
    ...FOR_ADMINS,
  ]);
  for (const { login, session } of sessions) {
    await askAll(login, { Cookie: `mainsheet=${session}.${signatureOf(session)}` }, FOR_ALL);
  }
} finally {
  await serve.remove();
}
if (slow.length > 0) {
  console.log(`\nmore than ${MOST_MS} ms:\n${slow.join('\n')}`);
  process.exitCode = 1;
}

async function askAll(
  who: string,
  headers: Record<string, string>,
  questions: readonly string[],
): Promise<void> {
  console.log(`\n${row(`asked by ${who}`, ['p50 ms', 'most ms', 'CPU ms', 'first ms', 'KB'])}`);
  for (const question of questions.filter((one) => one.includes(ONLY))) {
    const first = await ask(question, headers);
    const took: number[] = [];
    const before = serve.cpu();
    for (let round = 0; round < ROUNDS; round += 1) took.push((await ask(question, headers)).ms);
    const cpu = (serve.cpu() - before) / ROUNDS;
    if (median(took) > MOST_MS) slow.push(`${question} (${who})`);
    const figures = [median(took), Math.max(...took), cpu, first.ms, first.length / 1024];
    const shown = question.replace(/0{20,}/, '0…');
    console.log(
      row(
        shown,
        figures.map((figure) => figure.toFixed(1)),
      ),
    );
  }
}

async function ask(question: string, headers: Record<string, string>) {
  const url = new URL(question, serve.url);
  const since = performance.now();
  const response = await fetch(url, { headers, redirect: 'manual' });
  const text = await response.text();
  // What a person may not see is not there.
  if (response.status !== 200 && (response.status !== 404 || 'Authorization' in headers))
    throw new Error(`${question}: ${response.status} ${text}`);
  return { ms: performance.now() - since, length: text.length };
}

/** What GitHub says a person may do in a repository. */
function permission(path: string): unknown {
  const [, n, login] = /^\/repos\/acme\/r(\d+)\/collaborators\/(\w+)\/permission$/.exec(path) ?? [];
  const person = PEOPLE.find((one) => one.login === login);
  if (n === undefined || person === undefined) return undefined;
  return { permission: person.canRead(Number(n)) ? 'read' : 'none', user: { id: person.id } };
}

function prepare(file: string): void {
  fillStore(file, DELIVERIES);
  const database = new SQLite(file);
  const now = Date.now();
  for (const { login, id, session } of sessions) {
    database
      .prepare(
        `insert into sessions (digest, actor, github_id, created_at, renewed_at, seen_at) values (?, ?, ?, ?, ?, ?)`,
      )
      .run(
        createHash('sha256').update(session).digest('hex'),
        `github:${login}`,
        id,
        now,
        now,
        now,
      );
  }
  database.close();
}

/** As `createAuth` and `createSessionCookie` sign. */
function signatureOf(session: string): string {
  const hmac = createHmac('sha256', TOKEN).update(`mainsheet sessions of people\0${key}`);
  return createHmac('sha256', hmac.digest('hex'))
    .update(`mainsheet session ${session}`)
    .digest('base64url');
}

/** As `encodeCursor` makes them. */
function cursor(seq: number): string {
  return Buffer.from(`v1:${seq}`).toString('base64url');
}
