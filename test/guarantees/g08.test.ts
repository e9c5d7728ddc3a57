import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { asAdmin } from '../support/admin.ts';
import { until } from '../support/until.ts';
import { createWorld, HUB, SITE, type World } from '../support/world.ts';

/** Each secret is found nowhere it was not meant for, whatever a careless step does with it. */
const STEP_SECRET = 'step-secret-8c1f+/=&"x';
const HOOK_SECRET = 'hook-secret-55ab9e01';

const SPEC = `
name: careless
repository: ${SITE}
on: push
secrets: [TOKEN, GATE, HOOK_KEY]
env: { COPY: "\${{ secrets.TOKEN }}" }
steps:
  - name: Leak
    run: |
      echo "plain $TOKEN"; echo "copy $COPY" >&2
      printf %s "$TOKEN" | base64
      printf '%s' "$TOKEN" | od -An -c | head -1 > /dev/null
      echo "out=$TOKEN" >> "$MAINSHEET_OUTPUT"
  - name: Wait
    run: 'until [ -e "$GATE/open" ]; do sleep 0.05; done'
  - name: Fail
    run: 'echo "$TOKEN" >&2; exit 3'
notify:
  - on: [failed]
    dispatch: { repository: ${HUB}, event-type: failed, payload: { reason: "\${{ run.sha }}" } }
  - on: [failed]
    webhook: { url: "http://127.0.0.1:9/?key=\${{ secrets.TOKEN }}", secret: HOOK_KEY }
`;

let world: World;
let gate: string;
let secrets: string[];
before(async () => {
  gate = await mkdtemp(join(tmpdir(), 'mainsheet-g08-'));
  world = await createWorld({
    specs: { 'careless.yaml': SPEC },
    credentials: 'app',
    forge: { app: true, privateRepositories: true },
    env: {
      MAINSHEET_SECRET_TOKEN: STEP_SECRET,
      MAINSHEET_SECRET_HOOK_KEY: HOOK_SECRET,
      MAINSHEET_SECRET_GATE: gate,
      LOG_LEVEL: 'trace',
    },
  });
  const key = (world.forge.privateKey ?? '').split('\n');
  secrets = [
    STEP_SECRET,
    encodeURIComponent(STEP_SECRET),
    Buffer.from(STEP_SECRET).toString('base64'),
    JSON.stringify(STEP_SECRET).slice(1, -1),
    HOOK_SECRET,
    world.controller.secret,
    key[Math.floor(key.length / 2)] ?? '',
    // Installation tokens, which GitHub made for this controller alone.
    'ghs_',
  ];
});
after(async () => {
  await world.close();
  await rm(gate, { recursive: true, force: true });
});

test('G8 no secret in a log, a row, a response, a process list or a git remote on disk', async (t) => {
  const places = new Map<string, string>();
  const sha = await world.sample.commit({ message: 'Careless' });
  // Looks at the process list over and over while git and the steps are at work.
  const ended = new AbortController();
  const watch = (async () => {
    while (!ended.signal.aborted) {
      for (const [where, line] of await commandLines()) places.set(where, line);
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  t.signal.addEventListener('abort', () => ended.abort());
  t.after(() => ended.abort());
  await world.sample.push('main');
  const running = await until('the second step runs', async () => {
    const [run] = await world.runs(`&sha=${sha}&state=running`);
    return run !== undefined && (await world.log(run.id)).includes('copy') && run;
  });
  // What a step itself writes into its files is its own as long as it runs, and gone with it.
  await collectFiles(world.controller.dataDir, places, 'scratch');
  await writeFile(join(gate, 'open'), '');
  assert.equal((await world.ended(sha)).state, 'failed');
  await world.statusOf(sha, 'mainsheet/careless', 'failure');
  ended.abort();
  await watch;

  await collectFiles(world.controller.dataDir, places);
  for (const path of await readable(running.id, running.delivery)) {
    places.set(path, await (await asAdmin(`${world.controller.url}${path}`)).text());
  }
  places.set('the controller’s log', JSON.stringify(world.controller.log));
  places.set('what GitHub shows', JSON.stringify(await world.forge.statuses(SITE, sha)));
  places.set('the dispatches', JSON.stringify(await world.forge.dispatches(HUB)));

  const found: string[] = [];
  for (const [where, text] of places) {
    for (const secret of secrets) if (text.includes(secret)) found.push(`${secret} in ${where}`);
  }
  assert.deepEqual(found, []);
  // Had it looked at nothing it would have found nothing.
  assert.match(await world.log(running.id), /plain \*\*\*/);
  const seen = [...places.keys()].join('\n');
  for (const expected of [/mainsheet\.db$/m, /mirrors\/.*config$/m, /^process \d+: git/m]) {
    assert.match(seen, expected);
  }
});

/** All that the API gives away about a run. */
async function readable(run: string, delivery: string): Promise<string[]> {
  const { items } = await world.controller.get<{ items: { id: number }[] }>('/outbox?limit=200');
  return [
    `/api/v1/runs/${run}`,
    `/api/v1/runs/${run}/log`,
    `/api/v1/deliveries/${delivery}`,
    `/api/v1/deliveries/${delivery}/explain`,
    '/api/v1/specs',
    '/api/v1/environments',
    '/api/v1/outbox',
    ...items.map(({ id }) => `/api/v1/outbox/${id}`),
    '/readyz',
    '/metrics',
  ];
}

/** Command lines of the controller's processes and their offspring; `/proc` is what `ps` reads. */
async function commandLines(): Promise<[string, string][]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map(async (pid): Promise<[string, string][]> => {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      const directory = world.controller.dataDir;
      if (!line.includes(directory) && !line.startsWith('git\0')) return [];
      return [[`process ${pid}: ${line.split('\0', 1)[0]?.replace(/.*\//, '')}`, line]];
    }),
  );
  return lines.flat();
}

async function collectFiles(
  directory: string,
  places: Map<string, string>,
  except?: string,
): Promise<void> {
  for (const name of await readdir(directory, { recursive: true })) {
    if (name.split('/', 1)[0] === except) continue;
    const path = join(directory, name);
    const isFile = await stat(path).then(
      (entry) => entry.isFile(),
      () => false,
    );
    // Latin-1 shows every byte as a character, also of a database.
    if (isFile) places.set(path, await readFile(path, 'latin1').catch(() => ''));
  }
}
