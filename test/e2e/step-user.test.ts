import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { isAlive } from '../steps/support.ts';
import { needsRoot, STEP_USER } from '../support/root.ts';
import { createPulls } from '../support/pulls.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

const TIME_LIMIT = { timeout: 60_000 };
const USER = `${STEP_USER.uid}:${STEP_USER.gid}`;

/** A controller on a data directory that another user can get to, with secrets in files that it cannot. */
async function createApart(
  t: TestContext,
  steps: string,
  env: Record<string, string> = { MAINSHEET_STEP_USER: USER },
  specs: Record<string, string> = {},
): Promise<{ world: World; root: string; data: string; outside: string }> {
  const root = await mkdtemp(join(tmpdir(), 'mainsheet-apart-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  await chmod(root, 0o711);
  const data = join(root, 'data');
  const outside = join(root, 'outside');
  await mkdir(outside);
  await chmod(outside, 0o755);
  await writeFile(join(outside, 'precious'), 'untouched');
  await chmod(join(outside, 'precious'), 0o644);
  await mkdir(join(root, 'secrets'), { mode: 0o700 });
  await writeFile(join(root, 'secrets', 'TOKEN'), 'swordfish', { mode: 0o600 });
  const world = await createWorld({
    files: { 'README.md': 'shop\n', 'src/index.js': 'one\n' },
    specs: {
      'any.yaml': `
name: any
repository: ${SITE}
on: { push: { branches: ["**"] } }
env: { DATA: ${data}, OUTSIDE: ${outside}, SECRETS: ${join(root, 'secrets')} }
${steps}`,
      ...specs,
    },
    env: { MAINSHEET_DATA_DIR: data, MAINSHEET_SECRETS_DIR: join(root, 'secrets'), ...env },
  });
  t.after(() => world.close());
  return { world, root, data, outside };
}

async function push(world: World, message: string) {
  const sha = await world.sample.commit({ files: { 'README.md': `${message}\n` }, message });
  await world.sample.push('main');
  const run = await world.ended(sha);
  return { sha, run, log: await world.log(run.id) };
}

test(
  'a step of another user has its checkout, event, outputs and home, and none of what is the controller’s',
  { ...needsRoot, ...TIME_LIMIT },
  async (t) => {
    const { world, data } = await createApart(
      t,
      `steps:
  - name: Look
    run: |
      echo "ids=$(id -u) $(id -g) $(id -G) umask=$(umask)"
      grep -E '^Cap(Prm|Eff|Amb):' /proc/self/status
      echo "head=$(git rev-parse HEAD) count=$(git rev-list --count HEAD) status=[$(git status --porcelain)]"
      git fsck --connectivity-only > /dev/null && echo complete
      echo changed >> README.md; mkdir dist; touch dist/new; rm src/index.js
      echo kept > "$HOME/file"; cat "$HOME/file"
      grep -q '"ref"' "$MAINSHEET_EVENT_PATH" && echo event
      echo "readme=$(head -1 README.md)" >> "$MAINSHEET_OUTPUT"
      echo "again" > /dev/stdout
      for path in "$DATA" "$DATA/mainsheet.db" "$DATA/mirrors" "$DATA/work" "$DATA/scratch" "$PWD/../git" "$SECRETS" "$SECRETS/TOKEN" "/proc/$PPID/environ" "/proc/$PPID/fd"; do
        if [ -d "$path" ]; then ls "$path" > /dev/null 2>&1 && echo "READ $path"; else cat "$path" > /dev/null 2>&1 && echo "READ $path"; fi
        if [ -w "$path" ]; then echo "WRITE $path"; fi
      done
      for path in "$DATA/x" "$DATA/work/x" "$PWD/../x" "$PWD/../git/x" "$MAINSHEET_EVENT_PATH" "$(dirname "$MAINSHEET_EVENT_PATH")/x" "$(dirname "$MAINSHEET_OUTPUT")/x" "$0"; do
        (echo x >> "$path") 2> /dev/null && echo "WRITE $path"
      done
      kill -0 $PPID 2> /dev/null && echo "MAY KILL"
      true
`,
    );
    const { run, log, sha } = await push(world, 'second');
    assert.equal(run.state, 'succeeded', `${run.reason}\n${log}`);
    assert.ok(
      log.includes(`ids=${STEP_USER.uid} ${STEP_USER.gid} ${STEP_USER.gid} umask=0022`),
      log,
    );
    for (const field of ['CapPrm', 'CapEff', 'CapAmb']) {
      assert.match(log, new RegExp(`${field}:\\s*0{16}`));
    }
    assert.ok(log.includes(`head=${sha} count=2 status=[]`), log);
    for (const word of ['complete', 'kept', 'event', 'again'])
      assert.match(log, new RegExp(`^${word}$`, 'm'));
    assert.deepEqual(run.outputs, { readme: 'second' });
    assert.doesNotMatch(log, /READ|WRITE|MAY KILL/);

    const { mode, gid } = await stat(data);
    assert.deepEqual([mode & 0o777, gid], [0o710, STEP_USER.gid]);
    assert.deepEqual(await readdir(join(data, 'scratch')), [], 'nothing of the run is left');
    await world.controller.logged({ msg: 'steps have a user of their own' });

    // And again in the same lane, on what the step left.
    const next = await push(world, 'third');
    assert.equal(next.run.state, 'succeeded', next.log);
    assert.ok(next.log.includes(`head=${next.sha} count=3 status=[]`), next.log);
  },
);

test(
  'a step of another user can neither read the token that was made nor use the API without it',
  { ...needsRoot, ...TIME_LIMIT },
  async (t) => {
    const { world, data, outside } = await createApart(
      t,
      `steps:
  - name: Ask
    run: |
      cat "$DATA"/admin-token* && echo READ
      exec 3<> "/dev/tcp/127.0.0.1/$(cat "$OUTSIDE/port")"
      printf 'GET /api/v1/runs HTTP/1.0\\r\\n\\r\\n' >&3
      head -1 <&3
`,
      { MAINSHEET_STEP_USER: USER, MAINSHEET_ADMIN_TOKEN: '' },
    );
    await writeFile(join(outside, 'port'), new URL(world.controller.url).port);
    await chmod(join(outside, 'port'), 0o644);
    const { run, log } = await push(world, 'second');
    assert.equal(run.state, 'succeeded', `${run.reason}\n${log}`);
    assert.match(log, /^HTTP\/1\.1 401 /m);
    assert.doesNotMatch(log, /READ/);
    const { mode, uid } = await stat(join(data, 'admin-token'));
    assert.deepEqual([mode & 0o777, uid], [0o600, 0]);
  },
);

test(
  "a fork's code runs without any secret, and finds none",
  { ...needsRoot, ...TIME_LIMIT },
  async (t) => {
    const preview = (name: string, more: string) => `
name: ${name}
repository: ${SITE}
on: { pull_request: { forks: true } }
${more}
steps: [{ run: sh ./deploy.sh }]
teardown: [{ run: 'true' }]`;
    const { world, root } = await createApart(t, 'steps: [{ run: "true" }]', undefined, {
      'open.yaml': preview('open', 'env: { NOT_LISTED: public }'),
      'closed.yaml': preview('closed', 'secrets: [TOKEN]'),
    });
    const pulls = createPulls(world, world.sample);
    const pull = await pulls.open({
      'deploy.sh': `env; grep -rs . "${root}/secrets" /proc/*/environ; sed 1q "${root}/data/admin-token"\necho RAN`,
    });
    const delivery = await pulls.tell('opened', pull, {
      head: { ref: 'main', sha: pull.head, repo: { full_name: 'mallory/storefront' } },
    });
    const { specs } = await world.explained(delivery);
    assert.equal(specs.find(({ spec }) => spec === 'closed')?.run, null);
    const run = await world.ended(pull.head);
    const log = await world.log(run.id);
    assert.deepEqual([run.spec, run.state], ['open', 'succeeded'], log);
    assert.match(log, /^NOT_LISTED=public$[^]*^RAN$/m);
    assert.doesNotMatch(log, /swordfish|\*\*\*|TOKEN|SECRET=/);
  },
);

const LEAVE_TRAPS = `steps:
  - name: Leave traps
    run: |
      set +e
      trap="touch '$OUTSIDE/pwned'; id -u > '$OUTSIDE/pwned'"
      for git in .git ../git; do
        mkdir -p "$git/hooks" && for hook in post-checkout post-index-change pre-auto-gc reference-transaction; do
          printf '#!/bin/sh\\n%s\\n' "$trap" > "$git/hooks/$hook" && chmod +x "$git/hooks/$hook"
        done
        printf '[core]\\n\\tfsmonitor = "%s"\\n\\thooksPath = %s\\n[filter "x"]\\n\\tsmudge = "%s"\\n\\tclean = "%s"\\n\\tprocess = "%s"\\n' "$trap" "$git/hooks" "$trap" "$trap" "$trap" > "$git/config"
        mkdir -p "$git/info" && echo '* filter=x' > "$git/info/attributes"
      done 2> /dev/null
      echo '* filter=x' > .gitattributes
      rm -rf src README.md && ln -s "$OUTSIDE" src && ln -s "$OUTSIDE/precious" README.md
      mkdir sub && cp -r .git sub/.git
      ln "$OUTSIDE/precious" hard 2> /dev/null
      chmod 0 sub
      echo trapped
`;

for (const [name, skip, env] of [
  ['of another user', needsRoot, { MAINSHEET_STEP_USER: USER }],
  ['of the same user', {}, {}],
] as const) {
  test(
    `what a step ${name} leaves in its checkout runs nothing and leads nowhere at the next one`,
    { ...skip, ...TIME_LIMIT },
    async (t) => {
      const { world, outside } = await createApart(t, LEAVE_TRAPS, env);
      for (const message of ['second', 'third', 'fourth']) {
        const { run, log } = await push(world, message);
        assert.equal(run.state, 'succeeded', log);
        assert.match(log, /^trapped$/m);
      }
      assert.deepEqual(await readdir(outside), ['precious']);
      assert.equal(await readFile(join(outside, 'precious'), 'utf8'), 'untouched');
      const { uid, mode } = await stat(join(outside, 'precious'));
      assert.deepEqual([uid, mode & 0o777], [process.getuid?.(), 0o644]);
    },
  );
}

test(
  'a cancelled step of another user is ended with what left its process group',
  { ...needsRoot, ...TIME_LIMIT },
  async (t) => {
    const { world, root } = await createApart(
      t,
      `steps:
  - name: Hang
    run: |
      setsid sleep 1000 &
      echo "escaped=$!"
      sleep 1000
`,
    );
    const sha = await world.sample.commit({ files: { 'README.md': 'x\n' }, message: 'x' });
    await world.sample.push('main');
    let id = '';
    await until('the step has started', async () => {
      const run = (await world.runs()).find((one) => one.sha === sha);
      id = run?.id ?? '';
      return run !== undefined && (await world.log(run.id)).includes('escaped=');
    });
    assert.ok((await processesOf(STEP_USER.uid, root)).length >= 2);
    await world.controller.post(`/runs/${id}/cancel`);
    const run = await world.ended(sha);
    assert.equal(run.state, 'cancelled');
    assert.deepEqual(await processesOf(STEP_USER.uid, root), []);
  },
);

test(
  'step processes of another user that outlived a killed controller are ended before the lane goes on',
  { ...needsRoot, ...TIME_LIMIT },
  async (t) => {
    const { world, root, data } = await createApart(
      t,
      `steps:
  - name: Hang once
    run: |
      if [ "$(git rev-list --count HEAD)" = 2 ] && mkdir "/tmp/once-$MAINSHEET_RUN_ID" 2> /dev/null; then echo hanging; sleep 1000; fi
      rmdir "/tmp/once-$MAINSHEET_RUN_ID"
`,
    );
    const sha = await world.sample.commit({ files: { 'README.md': 'x\n' }, message: 'x' });
    await world.sample.push('main');
    await until('the step hangs', async () => {
      const run = (await world.runs()).find((one) => one.sha === sha);
      return run !== undefined && (await world.log(run.id)).includes('hanging');
    });
    await world.controller.kill();
    assert.ok((await processesOf(STEP_USER.uid, root)).length > 0);
    await world.controller.restart();
    const run = await world.ended(sha);
    assert.equal(run.state, 'succeeded', await world.log(run.id));
    assert.deepEqual(await processesOf(STEP_USER.uid, root), []);
    assert.deepEqual(await readdir(join(data, 'scratch')), []);
  },
);

test(
  'what a step of another user hides from its run is ended when no run is active any more',
  { ...needsRoot, ...TIME_LIMIT },
  async (t) => {
    const { world } = await createApart(
      t,
      `steps:
  - run: |
      env -i PATH="$PATH" setsid sleep 1000 > /dev/null 2>&1 < /dev/null &
      echo "hidden=$!"
      grep NoNewPrivs /proc/self/status
`,
    );
    const { run, log } = await push(world, 'second');
    assert.equal(run.state, 'succeeded', log);
    assert.match(log, /^NoNewPrivs:\s*1$/m);
    const pid = /^hidden=(\d+)$/m.exec(log)?.[1] ?? '';
    await world.controller.logged({ msg: 'ended processes that steps had left' });
    assert.equal(isAlive(Number(pid)), false);
  },
);

test(
  'without a user of their own, steps can read what Mainsheet can, and the log says so',
  TIME_LIMIT,
  async (t) => {
    const { world, data } = await createApart(
      t,
      'steps: [{ run: cat /proc/$PPID/environ > /dev/null && echo read }]',
      {},
    );
    const { log } = await push(world, 'second');
    assert.match(log, /^read$/m);
    assert.equal((await stat(data)).mode & 0o777, 0o700);
    const said = world.controller.log.filter(({ msg }) =>
      String(msg).startsWith('steps share the user'),
    );
    assert.equal(said.length, 1);
  },
);

/** The processes of a user that have something to do with `root`. */
async function processesOf(uid: number, root: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      return new RegExp(`^Uid:\\s*${uid}\\s`, 'm').test(status) && environment.includes(root);
    }),
  );
  return pids.filter((_, index) => found[index]);
}
