import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bothEngines } from '../support/engines.ts';

for (const [engine, open] of bothEngines()) {
  test(`what events tell of installations is kept by repository, on ${engine}`, async (t) => {
    const { installations } = await open(t);
    const states = async (...names: string[]) =>
      await Promise.all(names.map((name) => installations.stateOf(name)));
    const one = { kind: 'installation', installation: 7 } as const;
    assert.deepEqual(await states('acme/shop'), [undefined]);
    const repositories = Array.from({ length: 600 }, (_, index) => `acme/r${index}`);
    await installations.note(
      { ...one, change: 'added', repositories: ['Acme/Shop', ...repositories] },
      1,
    );
    assert.deepEqual(await states('acme/shop', 'ACME/R599'), ['installed', 'installed']);

    await installations.note({ ...one, change: 'removed', repositories: ['acme/r0'] }, 2);
    await installations.note({ ...one, change: 'suspended' }, 3);
    assert.deepEqual(await states('acme/shop', 'acme/r0'), ['suspended', 'removed']);
    await installations.note({ ...one, change: 'unsuspended' }, 4);
    assert.deepEqual(await states('acme/shop', 'acme/r0'), ['installed', 'removed']);

    await installations.note({ ...one, change: 'renamed', owner: 'Acme-Inc' }, 5);
    assert.deepEqual(await states('acme/shop', 'acme-inc/shop'), [undefined, 'installed']);
    const other = { kind: 'installation', installation: 8 } as const;
    await installations.note({ ...other, change: 'deleted' }, 6);
    assert.deepEqual(await states('acme-inc/shop'), ['installed']);
    await installations.note({ ...one, change: 'deleted' }, 7);
    assert.deepEqual(await states('acme-inc/shop'), ['removed']);
  });

  test(`a repository on which GitHub knows no installation is missing until it does, on ${engine}`, async (t) => {
    const { installations } = await open(t);
    const state = async () => await installations.stateOf('acme/shop');
    await installations.noteAsked('Acme/Shop', true, 1);
    assert.equal(await state(), undefined);
    await installations.noteAsked('Acme/Shop', false, 2);
    assert.equal(await state(), 'missing');
    await installations.noteAsked('acme/shop', true, 3);
    assert.equal(await state(), undefined);
    const repositories = ['acme/shop'];
    const event = { kind: 'installation', installation: 7, repositories } as const;
    await installations.note({ ...event, change: 'added' }, 4);
    await installations.noteAsked('acme/shop', false, 5);
    assert.equal(await state(), 'missing');
    await installations.note({ ...event, change: 'removed' }, 6);
    await installations.noteAsked('acme/shop', false, 7);
    assert.equal(await state(), 'removed', 'what an event told is more than an answer');
  });
}
