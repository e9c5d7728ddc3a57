import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  commitBehind,
  createSpecSource,
  SPEC_LANES,
} from '../../../src/controller/maintenance/spec-source.ts';
import type { Checkouts } from '../../../src/git/checkouts.ts';
import { parseSpecs } from '../../../src/spec/load.ts';
import { createFixture as createGit } from '../../git/fixture.ts';
import { recordLog } from '../../support/log.ts';
import { until } from '../../support/until.ts';

/** A repository with specs, which sources that are started one after the other keep in one place. */
async function createFixture(t: TestContext) {
  const git = await createGit(t);
  const { repository, mirrors, root } = git;
  const link = join(root, 'specs');
  /** The version of the specs that is read now. */
  const inUse = async () =>
    (await readFile(join(link, 'version'), 'utf8').catch(() => 'none')).trim();
  /** What was in use before and after each checkout, while nothing was said to have changed. */
  const seen: [string, string][] = [];
  /** The commit that was said to be in use after each checkout, while another one was. */
  const behind: (string | undefined)[] = [];
  const disk = { isFull: false };
  const checkouts: Checkouts = {
    ...git.checkouts,
    async prepare(request) {
      if (disk.isFull) throw new Error('no space left');
      const before = await inUse();
      const made = await git.checkouts.prepare(request);
      seen.push([before, await inUse()]);
      behind.push(await commitBehind(link));
      return made;
    },
  };
  const { logger, log } = recordLog();

  /** Starts a source, which says what was in use each time that it had the specs loaded. */
  function start(options: { ref?: string; path?: string; storeAway?: true } = {}) {
    const loads: string[] = [];
    const told: [sha: string, problems: string][] = [];
    let storeAway = options.storeAway === true;
    const source = createSpecSource({
      repository,
      path: options.path ?? 'specs',
      ref: options.ref,
      link,
      mirrors,
      checkouts,
      catalog: {
        reload: async () => {
          loads.push(await inUse());
          return { specs: [], problems: [], stale: false, loadedAt: 1 };
        },
      },
      tell: async (sha, problems) => {
        if (storeAway) throw new Error('the database is away');
        told.push([sha, problems.map(({ message }) => message).join()]);
      },
      logger,
    });
    const stopping = new AbortController();
    const running = source.run(stopping.signal);
    const stop = async () => {
      stopping.abort();
      await running;
    };
    t.after(stop);
    const storeBack = () => (storeAway = false);
    return { loads, told, storeBack, wake: () => source.wake(), stop };
  }

  /** Which version of the specs is loaded with `@ref`. */
  async function loadedWith(ref?: string): Promise<string> {
    const { loads, stop } = start(ref === undefined ? {} : { ref });
    const [version = ''] = await until('the specs are loaded', () => loads.length > 0 && loads);
    await stop();
    return version;
  }

  return { ...git, start, loadedWith, seen, behind, link, disk, log };
}

test('specs come from the default branch, or from the branch, tag or commit that is named', async (t) => {
  const { commit, git, serverGit, loadedWith } = await createFixture(t);
  await commit({ 'specs/version': 'main\n' });
  const tagged = await commit({ 'specs/version': 'tagged\n' }, 'trunk');
  await git('tag', '--annotate', '--message=x', 'v1', tagged);
  await git('push', '--quiet', 'origin', 'refs/tags/v1');
  const middle = await commit({ 'specs/version': 'middle\n' }, 'trunk');
  await commit({ 'specs/version': 'trunk\n' }, 'trunk');
  await serverGit('symbolic-ref', 'HEAD', 'refs/heads/trunk');

  assert.equal(await loadedWith(), 'trunk', 'although there is a main');
  assert.equal(await loadedWith('main'), 'main');
  assert.equal(await loadedWith('v1'), 'tagged');
  assert.equal(await loadedWith(middle), 'middle');
});

test('the specs in use stay whole while the next ones are checked out, also those that a process before this one left', async (t) => {
  const { commit, start, loadedWith, seen } = await createFixture(t);
  await commit({ 'specs/version': '1\n' });
  const { loads, wake, stop } = start();
  for (const version of ['2', '3', '4']) {
    await until('the version before is loaded', () => loads.at(-1) === String(+version - 1));
    await commit({ 'specs/version': `${version}\n` });
    wake();
  }
  await until('the last one is loaded', () => loads.at(-1) === '4');
  await stop();
  // Twice, because of two work trees the one in use may be either.
  for (const version of ['5', '6']) {
    await commit({ 'specs/version': `${version}\n` });
    assert.equal(await loadedWith(), version);
  }
  const before = ['none', '1', '2', '3', '4', '5'];
  assert.deepEqual(
    seen,
    before.map((version) => [version, version]),
  );
});

test('which commit the specs are of is known at any time, also to the process after this one', async (t) => {
  const { commit, loadedWith, behind, link } = await createFixture(t);
  const commits = [];
  for (const version of ['1', '2', '3']) {
    const sha = await commit({ 'specs/version': `${version}\n` });
    commits.push(sha);
    await loadedWith();
    assert.equal(await commitBehind(link), sha);
  }
  assert.deepEqual(behind, [undefined, ...commits.slice(0, -1)]);
});

test('a commit that is in use already is neither checked out nor loaded again', async (t) => {
  const { commit, start, seen, server } = await createFixture(t);
  await commit({ 'specs/version': '1\n' });
  const { loads, wake, stop } = start();
  await until('the specs are loaded', () => loads.length === 1);
  // When it asks for the second time, the first is over.
  for (const time of ['first', 'second']) {
    const before = server.requests.length;
    wake();
    await until(`it asks for the ${time} time`, () => server.requests.length >= before + 2);
  }
  await stop();
  assert.deepEqual([loads, seen.length], [['1'], 1]);
});

test('the last commit stays in use while the server is away, and what was pushed meanwhile is found afterwards', async (t) => {
  const { commit, start, server, log } = await createFixture(t);
  await commit({ 'specs/version': '1\n' });
  const { loads, wake } = start();
  await until('the specs are loaded', () => loads.length === 1);
  server.fault = () => ({ kind: 'status', status: 503 });
  await commit({ 'specs/version': '2\n' });
  wake();
  await until('it could not ask', () => log.some(({ msg }) => msg === 'loop turn failed'));
  assert.deepEqual(loads, ['1']);
  server.fault = undefined;
  await until('the specs are loaded again', () => loads.length === 2);
  assert.deepEqual(loads, ['1', '2']);
});

test('a commit that could not be checked out is tried again', async (t) => {
  const { commit, start, disk, log } = await createFixture(t);
  await commit({ 'specs/version': '1\n' });
  disk.isFull = true;
  const { loads } = start();
  await until('it could not', () => log.some(({ error }) => error === 'no space left'));
  disk.isFull = false;
  await until('the specs are loaded', () => loads.length > 0);
  assert.deepEqual(loads, ['1']);
});

test('each commit is told of with what is wrong, also that it has no specs, and again while that cannot be kept', async (t) => {
  const { commit, git, start, root } = await createFixture(t);
  const first = await commit({ 'specs/version': '1\n' });
  const { told, storeBack, wake } = start({ storeAway: true });
  storeBack();
  await until('the first is told', () => told.length > 0);
  assert.deepEqual(told, [[first, '']]);
  await git('rm', '--quiet', '-r', 'specs');
  const second = await commit({ other: 'x\n' });
  wake();
  await until('the second is told', () => told.length > 1);
  assert.equal(told[1]?.[0], second);
  assert.match(told[1]?.[1] ?? '', /^"specs" is not a path inside .*: there is no such directory$/);
  assert.ok(!told[1]?.[1].includes(root), 'nothing of this machine');
});

test('a name that the repository does not have, or a path that leads out of it, is said and loads nothing', async (t) => {
  const { commit, start, log } = await createFixture(t);
  await commit({ 'specs/version': '1\n' });
  for (const [options, said] of [
    [{ ref: 'gone' }, /has no branch or tag gone.*MAINSHEET_DEPLOYMENTS/],
    [{ path: '../..' }, /is not a path inside/],
    [{ path: '../tree-of-another' }, /is not a path inside/],
  ] as const) {
    const { loads, stop } = start(options);
    await until('it is said', () => said.test(JSON.stringify(log)));
    await stop();
    assert.deepEqual(loads, []);
    log.length = 0;
  }
});

test('a path that leads out of the repository through links is refused, and the specs before stay in use', async (t) => {
  const { commit, git, start, root, log } = await createFixture(t);
  await mkdir(join(root, 'outside', 'specs'), { recursive: true });
  await writeFile(join(root, 'outside', 'specs', 'version'), 'outside\n');
  const author = join(root, 'author');
  await symlink(join(root, 'outside'), join(author, 'direct'));
  await symlink('../../../../../../..', join(author, 'up'));
  await symlink('real', join(author, 'specs'));
  await symlink(join('up', root.slice(1), 'outside'), join(author, 'twice'));
  await commit({ 'real/version': '1\n' });
  const { loads, wake } = start();
  await until('a link inside the repository is followed', () => loads.at(-1) === '1');

  for (const path of ['direct', 'direct/specs', 'twice/specs']) {
    const other = start({ path });
    await until('it is said', () =>
      /leads out of the repository|no such/.test(JSON.stringify(log)),
    );
    await other.stop();
    assert.deepEqual([path, other.loads], [path, []]);
    log.length = 0;
  }
  await git('rm', '--quiet', 'specs');
  await symlink(join(root, 'outside', 'specs'), join(author, 'specs'));
  await commit({ 'real/version': '2\n' });
  wake();
  await until('it is said', () => /leads out of the repository/.test(JSON.stringify(log)));
  assert.deepEqual(loads, ['1']);
});

test('no spec can have its steps run in the work tree that the specs are read from', () => {
  for (const lane of SPEC_LANES) {
    const text = `name: shop\nrepository: acme/shop\non: push\nconcurrency: ${lane}\nsteps: [{ run: x }]\n`;
    assert.match(parseSpecs('x.yaml', text).problems[0]?.message ?? '', /begins with "mainsheet "/);
  }
});

test('a repository that cannot be reached is asked less and less often, and at once when a push tells of it', async (t) => {
  const { repository, mirrors, checkouts, root } = await createGit(t);
  const { logger, log } = recordLog();
  let asked = 0;
  const source = createSpecSource({
    repository,
    path: '',
    ref: undefined,
    link: join(root, 'specs'),
    mirrors: {
      ...mirrors,
      revision: async () => {
        asked += 1;
        throw new Error('not there');
      },
    },
    checkouts,
    catalog: { reload: async () => ({ specs: [], problems: [], stale: false, loadedAt: 1 }) },
    tell: async () => undefined,
    logger,
  });
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const stopping = new AbortController();
  const running = source.run(stopping.signal);
  const secondsPass = async (seconds: number) => {
    for (let second = 0; second < seconds; second += 1) {
      t.mock.timers.tick(1000);
      await nextTurn();
    }
  };
  await secondsPass(10);
  assert.ok(asked >= 3, `${asked} times in the first ten seconds`);
  await secondsPass(590);
  assert.ok(asked > 10 && asked < 30, `${asked} times in ten minutes`);
  assert.equal(log.length, asked);
  const before = asked;
  source.wake();
  await nextTurn();
  assert.equal(asked, before + 1);
  stopping.abort();
  await running;
});
