import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { pino } from 'pino';
import { systemClock } from '../../src/lib/clock.ts';
import { createCatalog, type Catalog, type CatalogDeps } from '../../src/spec/catalog.ts';
import { until } from '../support/until.ts';

interface Setup {
  directory: string;
  catalog: Catalog;
  lines: { level: number; msg: string; count?: number; problems?: string[] }[];
  write: (file: string, text: string) => Promise<void>;
}

async function setUp(t: TestContext, deps: Partial<CatalogDeps> = {}): Promise<Setup> {
  const parent = await mkdtemp(join(tmpdir(), 'mainsheet-catalog-'));
  t.after(() => rm(parent, { recursive: true, force: true }));
  const directory = join(parent, 'deployments');
  await mkdir(directory);
  const lines: Setup['lines'] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const catalog = createCatalog({ directory, logger, clock: systemClock, settleMs: 5, ...deps });
  const write = (file: string, text: string) => writeFile(join(directory, file), text);
  return { directory, catalog, lines, write };
}

const named = (name: string, repository = 'acme/shop') =>
  `name: ${name}\nrepository: ${repository}\non: push\nsteps: [{ run: x }]\n`;

function watch(t: TestContext, catalog: Catalog): void {
  const controller = new AbortController();
  t.after(() => controller.abort());
  catalog.watch(controller.signal);
}

test('before the first load there is nothing, and it is stale', async (t) => {
  const { catalog } = await setUp(t);
  assert.deepEqual(catalog.current(), { specs: [], problems: [], loadedAt: 0, stale: true });
});

test('specs of a repository that has not been checked out yet are not looked for by a person', async (t) => {
  const { directory, catalog, write } = await setUp(t, { repository: 'acme/deployments' });
  await rm(directory, { recursive: true });
  const [problem] = (await catalog.reload()).problems;
  assert.equal(problem?.file, 'acme/deployments');
  assert.match(problem.message, /not checked out yet/);
  assert.match(problem.hint ?? '', /log/);
  await mkdir(directory);
  await write('a.yaml', named('one'));
  assert.equal((await catalog.reload()).stale, false);
});

test('specs are found by name and by repository, however that is written', async (t) => {
  const { catalog, write } = await setUp(t, {
    clock: { ...systemClock, now: () => 42, elapsed: () => 42 },
  });
  await write(
    'a.yaml',
    `${named('one')}---\n${named('two', 'Acme/Shop')}---\n${named('three', 'acme/api')}`,
  );
  const state = await catalog.reload();
  assert.equal(state.stale, false);
  assert.equal(state.loadedAt, 42);
  const names = (repository: string) =>
    catalog.forRepository(repository).map(({ spec }) => spec.name);
  assert.deepEqual(names('ACME/shop'), ['one', 'two']);
  assert.deepEqual(names('acme/api'), ['three']);
  assert.deepEqual(names('acme/none'), []);
  assert.equal(catalog.byName('two')?.file, 'a.yaml');
  assert.equal(catalog.byName('none'), undefined);
});

test('a broken change keeps the last valid set and says so; mending it ends that', async (t) => {
  const { catalog, write, lines } = await setUp(t);
  await write('a.yaml', named('one'));
  const good = await catalog.reload();
  await write('a.yaml', named('two'));
  await write('b.yaml', 'nam: x\n');
  const broken = await catalog.reload();
  assert.equal(broken.stale, true);
  assert.deepEqual(broken.specs, good.specs);
  assert.equal(broken.loadedAt, good.loadedAt);
  assert.equal(broken.problems[0]?.file, 'b.yaml');
  assert.equal(catalog.byName('two'), undefined);
  await write('b.yaml', named('three'));
  const mended = await catalog.reload();
  assert.equal(mended.stale, false);
  assert.deepEqual(
    mended.specs.map(({ spec }) => spec.name),
    ['two', 'three'],
  );
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [
      [30, 'deployment specs loaded'],
      [50, 'deployment specs are broken; the last valid set stays in use'],
      [30, 'deployment specs loaded'],
    ],
  );
  assert.match(lines[1]?.problems?.[0] ?? '', /^b\.yaml:1:1: /);
  assert.equal(lines[2]?.count, 2);
});

test('when the first load has problems nothing is in use, not even the valid specs', async (t) => {
  const { catalog, write, lines } = await setUp(t);
  await write('a.yaml', named('one'));
  await write('b.yaml', 'nam: x\n');
  const state = await catalog.reload();
  assert.deepEqual(state.specs, []);
  assert.equal(state.stale, true);
  assert.equal(state.loadedAt, 0);
  assert.deepEqual(catalog.forRepository('acme/shop'), []);
  assert.equal(lines[0]?.msg, 'deployment specs are broken; none is in use');
});

test('when no spec is left the last valid set stays, and a restart makes that what is wanted', async (t) => {
  const { catalog, directory, write, lines } = await setUp(t);
  await write('a.yaml', `${named('one')}---\n${named('two')}`);
  const good = await catalog.reload();
  await rm(join(directory, 'a.yaml'));
  const emptied = await catalog.reload();
  assert.deepEqual([emptied.specs, emptied.stale], [good.specs, true]);
  assert.deepEqual(lines.at(-1)?.problems, [
    '.:1:1: no spec is left of 2 — put them back; if nothing is to be deployed any more, restart Mainsheet',
  ]);
  await write('b.yaml', named('two'));
  assert.deepEqual((await catalog.reload()).problems, []);
  assert.equal(catalog.byName('one'), undefined);

  await rm(join(directory, 'b.yaml'));
  const said: { msg: string; hint: string }[] = [];
  const logger = pino({ level: 'warn' }, { write: (line: string) => said.push(JSON.parse(line)) });
  const again = createCatalog({ directory, logger, clock: systemClock });
  const { specs, stale } = await again.reload();
  assert.deepEqual([specs, stale], [[], false]);
  assert.deepEqual(
    said.map(({ msg }) => msg),
    ['there is no deployment spec: nothing will be deployed'],
  );
  assert.match(
    said[0]?.hint ?? '',
    /put a spec into the directory .* or set MAINSHEET_DEPLOYMENTS/,
  );
});

test('a load that changes nothing is neither logged nor told', async (t) => {
  const { catalog, write, lines } = await setUp(t);
  await write('a.yaml', named('one'));
  let told = 0;
  const stop = catalog.onChange(() => (told += 1));
  await catalog.reload();
  await catalog.reload();
  assert.equal(told, 1);
  assert.equal(lines.length, 1);
  stop();
  await write('a.yaml', named('two'));
  await catalog.reload();
  assert.equal(told, 1);
  assert.equal(lines.length, 2);
});

test('a listener that throws stops neither the load nor the other listeners', async (t) => {
  const { catalog, write } = await setUp(t);
  await write('a.yaml', named('one'));
  let told = false;
  catalog.onChange(() => {
    throw new Error('broken listener');
  });
  catalog.onChange(() => {
    told = true;
  });
  assert.equal((await catalog.reload()).stale, false);
  assert.equal(told, true);
});

test('loads asked for at the same time come one after the other, and the last one wins', async (t) => {
  const { catalog, write } = await setUp(t);
  await write('a.yaml', named('one'));
  const first = catalog.reload();
  await write('a.yaml', named('two'));
  const states = await Promise.all([first, catalog.reload(), catalog.reload()]);
  assert.equal(states.at(-1)?.specs[0]?.spec.name, 'two');
  assert.equal(catalog.current(), states.at(-1));
});

test('a change is noticed without polling', async (t) => {
  const { catalog, write, directory } = await setUp(t, { pollMs: 3_600_000 });
  await mkdir(join(directory, 'deep'));
  await write('a.yaml', named('one'));
  await catalog.reload();
  watch(t, catalog);
  await write('deep/b.yaml', named('two'));
  await until('the new spec', () => catalog.byName('two'));
  await write('a.yaml', 'broken: true\n');
  await until('the broken state', () => catalog.current().stale);
  assert.ok(catalog.byName('one'), 'the last valid set stays');
});

test('a ConfigMap that is swapped by its links is noticed', async (t) => {
  const { catalog, directory } = await setUp(t, { pollMs: 3_600_000 });
  const version = async (name: string, spec: string) => {
    await mkdir(join(directory, name));
    await writeFile(join(directory, name, 'shop.yaml'), named(spec));
    await symlink(name, join(directory, '..data_tmp'));
    await rename(join(directory, '..data_tmp'), join(directory, '..data'));
  };
  await version('..2026_01', 'one');
  await symlink('..data/shop.yaml', join(directory, 'shop.yaml'));
  assert.deepEqual((await catalog.reload()).problems, []);
  watch(t, catalog);
  await version('..2026_02', 'two');
  await rm(join(directory, '..2026_01'), { recursive: true });
  await until('the swapped spec', () => catalog.byName('two'));
  assert.equal(catalog.byName('one'), undefined);
});

test('polling finds changes where the system tells of none, even a directory that comes later', async (t) => {
  const { catalog, directory, write } = await setUp(t, { pollMs: 10 });
  await rm(directory, { recursive: true });
  await catalog.reload();
  assert.match(catalog.current().problems[0]?.message ?? '', /does not exist/);
  watch(t, catalog);
  await mkdir(directory);
  await write('a.yaml', named('one'));
  await until('the spec in the new directory', () => catalog.byName('one'));
});

test('what is broken is read again although no file looks different, as when a disk is back', async (t) => {
  const { catalog, directory, write } = await setUp(t, { pollMs: 10 });
  const file = join(directory, 'a.yaml');
  const then = new Date(0);
  await write('a.yaml', named('one').replace('steps', 'stops'));
  await utimes(file, then, then);
  await catalog.reload();
  assert.equal(catalog.current().problems.length > 0, true);
  // Not watched yet, so that no event tells of it.
  await write('a.yaml', named('one'));
  await utimes(file, then, then);
  watch(t, catalog);
  await until('the spec', () => catalog.byName('one'));
});

test('watching ends with its signal', async (t) => {
  const sleeping = Promise.withResolvers<AbortSignal | undefined>();
  const clock = {
    ...systemClock,
    sleep: (ms: number, signal?: AbortSignal) => {
      sleeping.resolve(signal);
      return systemClock.sleep(ms, signal);
    },
  };
  const { catalog, write } = await setUp(t, { clock });
  const controller = new AbortController();
  catalog.watch(controller.signal);
  const signal = await sleeping.promise;
  controller.abort();
  assert.equal(signal?.aborted, true);
  await write('a.yaml', named('one'));
  assert.equal(catalog.current().loadedAt, 0);
});

test('a change of one file among many has only that file parsed again', async (t) => {
  const { catalog, write } = await setUp(t);
  await write('a.yaml', named('one'));
  await write('b.yaml', named('two'));
  await catalog.reload();
  const [one, two] = [catalog.byName('one'), catalog.byName('two')];
  await write('b.yaml', named('second'));
  await catalog.reload();
  assert.equal(catalog.byName('one'), one);
  assert.equal(catalog.byName('two'), undefined);
  assert.ok(catalog.byName('second'));
  // What it was before counts again, also after it was gone for a while.
  await write('b.yaml', named('two'));
  await catalog.reload();
  assert.deepEqual(catalog.byName('two'), two);
  await write('b.yaml', 'name: [');
  assert.equal((await catalog.reload()).problems.length > 0, true);
  assert.equal((await catalog.reload()).problems.length > 0, true);
});

test('the same text in two files is two specs with their own places', async (t) => {
  const { catalog, write } = await setUp(t);
  await write('a.yaml', named('one'));
  await catalog.reload();
  await write('b.yaml', named('one'));
  const { problems } = await catalog.reload();
  assert.deepEqual(
    problems.map(({ file }) => file),
    ['b.yaml'],
  );
});

test('no line of a file of secrets is in a problem with it', async (t) => {
  const { catalog, write } = await setUp(t, { identities: ['AGE-SECRET-KEY-1'] });
  await write('a.yaml', `${named('one')}extra: 1\n`);
  await write('b.sops.yaml', 'PASSWORD: hunter2\n');
  const { problems } = await catalog.reload();
  assert.deepEqual(
    problems.map(({ file, excerpt }) => [file, excerpt]),
    [
      ['a.yaml', 'extra: 1\n^'],
      ['b.sops.yaml', undefined],
    ],
  );
  assert.doesNotMatch(JSON.stringify(problems), /hunter2/);
});

test('the commit of the specs in use is that of the last valid set, whatever stands in the directory', async (t) => {
  let commit = 'first';
  const { catalog, write } = await setUp(t, {
    repository: 'acme/deployments',
    path: 'production',
    commit: async () => commit,
  });
  const load = async (sha: string, text: string) => {
    commit = sha;
    await write('a.yaml', text);
    return (await catalog.reload()).source;
  };
  const source = { repository: 'acme/deployments', path: 'production', commit: 'first' };
  assert.deepEqual(await load('first', named('one')), source);
  assert.deepEqual(await load('broken', 'name: ['), source);
  assert.deepEqual(await load('mended', named('two')), { ...source, commit: 'mended' });
  const own = await setUp(t);
  await own.write('a.yaml', named('one'));
  assert.deepEqual((await own.catalog.reload()).source, {
    repository: undefined,
    path: 'deployments',
    commit: undefined,
  });
});
