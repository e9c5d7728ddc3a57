import SQLite from 'better-sqlite3';

/** Repositories, each with a spec, and runs of as many more that have none any more. */
export const SPECS = 100;
export const REPOSITORIES = 1000;
/** Of the newest deliveries so many have a payload as large as that of a usual push. */
const WHOLE = 20_000;
export const LOG_LINES = 100_000;
const LINES_IN_CHUNK = 50;
const HOOKS = 1000;
const AUDITED = 100_000;
const DAYS = 100;

/** The commit that delivery number `i` brought. */
export const shaOf = (i: number): string => i.toString(16).padStart(40, '0');

/**
 * Fills a new database: deliveries of a hundred days of which every tenth has made a run; some runs wait, fifty were cancelled long
 * ago. The newest run has a long log. `deliveries` is a multiple of 1000.
 */
export function fillStore(file: string, deliveries: number): void {
  const runs = deliveries / 10;
  const began = Date.now() - DAYS * 86_400_000;
  const timeOf = (i: string, of: number) => `(${began} + ${i} * ${(DAYS * 86_400_000) / of})`;
  const count = 'with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)';
  const database = new SQLite(file);
  const run = (statement: string, ...values: (string | number)[]) =>
    database.prepare(statement).run(...values);
  database.exec('begin');
  run(
    `${count} insert into deliveries (id, event, action, repository, state, received_at, processed_at, attempts, outcome, payload)
     select 'old-' || i, case when i % 50 = 37 then 'pull_request' else 'push' end, case when i % 50 = 37 then 'synchronize' end,
       'acme/r' || (i / 10 % ${REPOSITORIES}), 'processed', ${timeOf('i', deliveries)}, ${timeOf('i', deliveries)}, 1, ?,
       case when i <= ${deliveries - WHOLE} then '{}' when i % 50 = 37 then
         '{"action":"synchronize","number":' || i || ',"pull_request":{"number":' || i || ',"title":"Change","merged":false,"head":{"ref":"topic","sha":"'
         || printf('%040x', i) || '","repo":{"full_name":"acme/r' || (i / 10 % ${REPOSITORIES}) || '","id":1}},"base":{"ref":"main","repo":{"full_name":"acme/r'
         || (i / 10 % ${REPOSITORIES}) || '","id":1}}},"repository":{"full_name":"acme/r' || (i / 10 % ${REPOSITORIES}) || '","id":1},"body":"' || ? || '"}'
       else '{"ref":"refs/heads/main","before":"' || printf('%040x', i - 1) || '","after":"' || printf('%040x', i)
         || '","created":false,"deleted":false,"forced":false,"repository":{"full_name":"acme/r' || (i / 10 % ${REPOSITORIES})
         || '","id":1,"default_branch":"main"},"head_commit":{"id":"' || printf('%040x', i)
         || '","message":"Make it better","timestamp":"2026-01-01T00:00:00Z","author":{"name":"Ada","username":"ada"}},"commits":[{"id":"'
         || printf('%040x', i) || '","message":"Make it better","body":"' || ? || '"}]}' end
     from n`,
    deliveries,
    JSON.stringify({ summary: `Not deployed: ${'x'.repeat(200)}`, specs: [] }),
    'lorem ipsum '.repeat(500),
    'lorem ipsum '.repeat(500),
  );
  run(
    `${count} insert into runs (id, spec, spec_digest, repository, environment, lane, ref, branch, sha, event, delivery, cause,
       state, reason, attempts, outputs, created_at, started_at, finished_at)
     select 'run-' || i, 'spec-' || (i % ${SPECS}), 'digest', 'acme/r' || (i % ${REPOSITORIES}), 'production',
       'acme/r' || (i % ${REPOSITORIES}) || '/production', 'refs/heads/main', 'main', printf('%040x', i * 10), 'push', 'old-' || (i * 10), 'event',
       case when i > ? - 19 then 'queued' when i < 50 then 'cancelled' when i % 7 = 0 then 'failed'
         when i % 11 = 0 then 'superseded' else 'succeeded' end,
       '', 1, '{}', ${timeOf('i', runs)}, ${timeOf('i', runs)} + 1000, ${timeOf('i', runs)} + 60000 from n`,
    runs,
    runs,
  );
  run(
    `${count} insert into log_chunks (run_id, seq, at, step, stream, text)
     select 'run-' || ?, i, ${began}, 0, 'stdout', replace(printf('%.*c', ${LINES_IN_CHUNK}, '.'), '.', char(27) || '[32mok' || char(27) || '[0m a line of a log as programs print them' || char(10)) from n`,
    LOG_LINES / LINES_IN_CHUNK,
    String(runs - 20),
  );
  run(
    `${count} insert into audit (at, actor, action, subject, detail, origin)
     select ${timeOf('i', AUDITED)}, 'github:person-' || (i % 100),
       case i % 5 when 0 then 'spec.deploy' when 1 then 'delivery.replay' else 'run.retry' end,
       case i % 5 when 0 then 'spec-' || (i % ${SPECS}) when 1 then 'old-' || (i * ${deliveries / AUDITED}) else 'run-' || (i * ${runs / AUDITED}) end, '', 'api' from n`,
    AUDITED,
  );
  run(
    `${count} insert into hooks (id, hook, owner, specs, inputs, secrets, created_at, created_by, expires_at)
     select printf('%032x', i), 'tenants', 'bench', '[]', '{}', '[{"id":"one","createdAt":1,"until":null}]', ${began}, 'bench', ${began} * 2 from n`,
    HOOKS,
  );
  database.exec(
    `insert into environments (lane, spec, environment, repository, run_id, sha, ref, deployed_at)
     select lane, spec, environment, repository, id, sha, ref, finished_at from runs
     where seq in (select max(seq) from runs where state = 'succeeded' and seq % ${REPOSITORIES} < ${SPECS} group by spec);
     insert into outbox (run_id, target, callback, state, attempts, next_attempt_at, lease_until, created_at)
     select id, id, '{"kind":"status"}', case when seq % 1000 = 0 then 'dead' else 'sent' end, 1, 0, 0, created_at from runs;
     insert into steps (run_id, position, name, state, attempts, reason, started_at, finished_at)
     select id, 0, 'true', 'succeeded', 1, '', started_at, finished_at from runs;
     commit;`,
  );
  database.pragma('wal_checkpoint(TRUNCATE)');
  database.close();
}
