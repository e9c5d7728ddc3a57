import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import SQLite from 'better-sqlite3';
import { createBacktest } from '../src/controller/operator/backtest.ts';
import type { JsonObject } from '../demo/json.ts';
import { parseSpecs } from '../src/spec/load.ts';
import { openSqlite } from '../src/store/engine.ts';
import { createStore } from '../src/store/index.ts';

/** What changed specs would have made of many pushes on disk: at most 20 s of processor time. */

const DELIVERIES = Number(process.env['BENCH_ROWS'] ?? 100_000);
const MOST_S = 20;
/** Of one repository, as each has to be judged. */
const SPECS = 10;
const REPOSITORIES = 10;

const directory = await mkdtemp(join(tmpdir(), 'bench-backtest-'));
const file = join(directory, 'mainsheet.db');
const store = await createStore(openSqlite(file));
try {
  const payload = push();
  fill(payload);
  const backtest = createBacktest({ store, catalog: { hook: () => undefined } });
  const { specs, problems } = parseSpecs('specs.yaml', changedSpecs());
  if (specs.length !== SPECS * REPOSITORIES) throw new Error(problems[0]?.message);
  const [began, used] = [performance.now(), process.cpuUsage()];
  const result = await backtest(specs, 0, new AbortController().signal);
  const { user, system } = process.cpuUsage(used);
  const seconds = (user + system) / 1e6;
  if (result.deliveries !== DELIVERIES) throw new Error(`${result.deliveries} were looked at`);
  console.log(
    `${DELIVERIES.toLocaleString('en')} pushes of ${(payload.length / 1024).toFixed(1)} KB, ${SPECS} specs for each: ` +
      `${seconds.toFixed(1)} s of processor time, ${((performance.now() - began) / 1000).toFixed(1)} s in all, ` +
      `${result.total.toLocaleString('en')} differences`,
  );
  if (seconds > MOST_S) process.exitCode = 1;
} finally {
  await store.close();
  await rm(directory, { recursive: true });
}

/** GitHub's example of a push. */
function push(): string {
  const path = createRequire(import.meta.url).resolve('@octokit/webhooks-examples');
  const definitions = JSON.parse(readFileSync(path, 'utf8')) as {
    name: string;
    examples: JsonObject[];
  }[];
  const sha = 'a'.repeat(40);
  const example = definitions.find(({ name }) => name === 'push')?.examples[0];
  const commit = { id: sha, message: 'Change', added: ['src/a.ts'], removed: [], modified: [] };
  const more = { ref: 'refs/heads/main', after: sha, deleted: false, commits: [commit] };
  return JSON.stringify({ ...example, ...more, head_commit: commit });
}

function fill(payload: string): void {
  const reasons = [
    { condition: 'repository', held: true, detail: 'from acme/r1' },
    { condition: 'on.push.branches', held: true, detail: 'main matches main' },
  ];
  const decided = Array.from({ length: SPECS }, (_, index) => ({
    spec: `spec-${index}`,
    verdict: { matched: index === 0, reasons },
  }));
  const database = new SQLite(file);
  database
    .prepare(
      `with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)
       insert into deliveries (id, event, repository, state, received_at, processed_at, attempts, outcome, payload)
       select 'old-' || i, 'push', 'acme/r' || (i % ${REPOSITORIES}), 'processed', i, i, 1,
         replace(?, 'spec-', 'r' || (i % ${REPOSITORIES}) || '-'), json_set(?, '$.repository.full_name', 'acme/r' || (i % ${REPOSITORIES})) from n`,
    )
    .run(DELIVERIES, JSON.stringify({ summary: '', specs: decided }), payload);
  database.close();
}

/** Each repository's first spec deploys as before; the first repository's second one did not. */
function changedSpecs(): string {
  return Array.from({ length: REPOSITORIES * SPECS }, (_, index) => {
    const [repository, number] = [Math.floor(index / SPECS), index % SPECS];
    const deploys = number === 0 || (repository === 0 && number === 1);
    const filter = deploys ? "branches: [main], paths: ['src/**']" : 'branches: [next]';
    return `
name: r${repository}-${number}
repository: acme/r${repository}
on: { push: { ${filter} } }
if: "!event.head_commit.message.contains('[skip deploy]')"
steps: [{ run: 'true' }]
`;
  }).join('---');
}
