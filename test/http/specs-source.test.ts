import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSpecs } from '../../src/spec/load.ts';
import { startHttp } from './fixture.ts';
import { logInAs, peopleWith } from './people.ts';

const yaml = (name: string, repository: string) =>
  `name: ${name}\nrepository: ${repository}\nenvironment: production\non: { push: {} }\nsteps: [{ run: make }]\n`;

test('specs say from which repository and commit they are, and the repository to those alone who may see it', async (t) => {
  const people = peopleWith(
    {
      boss: {},
      member: { 'acme/shop': 'read', 'acme/deployments': 'read' },
      reader: { 'acme/shop': 'read' },
      stranger: {},
    },
    { admins: [{ login: 'boss' }] },
  );
  const { url, specs } = await startHttp(t, { people });
  specs.specs = [
    ...parseSpecs('my shop.yaml', yaml('shop', 'acme/shop')).specs,
    ...parseSpecs('own.yaml', yaml('own', 'acme/deployments')).specs,
  ];
  const commit = '0123456789'.repeat(4);
  specs.source = { repository: 'acme/deployments', path: 'in/production', commit };
  const look = async (login: string) => {
    const headers = { Cookie: await logInAs(url, login) };
    const ask = async (path: string) => await (await fetch(url + path, { headers })).text();
    return {
      list: await ask('/specs'),
      page: await ask('/specs/shop'),
      api: JSON.parse(await ask('/api/v1/specs')) as { items: object[]; source: object },
    };
  };
  const pages = `https://github.com/acme/deployments`;
  const folder = `${pages}/tree/${commit}/in/production`;
  const file = `${pages}/blob/${commit}/in/production/my%20shop.yaml#L1`;
  for (const login of ['boss', 'member']) {
    const { list, page, api } = await look(login);
    assert.ok(list.includes(`<a href="${folder}">acme/deployments/in/production`), login);
    assert.ok(page.includes(`<a href="${file}">my shop.yaml</a>`), login);
    for (const text of [list, page]) assert.match(text, /at <code[^>]*>0123456<\/code>/);
    assert.deepEqual(api.source, { ...specs.source, url: folder });
    assert.partialDeepStrictEqual(api.items, [{ url: file }]);
  }
  const { list, page, api } = await look('reader');
  for (const text of [list, page]) {
    assert.doesNotMatch(text, /deployments|in\/production|01234567/);
    assert.match(text, /at <code[^>]*>0123456<\/code>/);
  }
  const nothing = { repository: null, path: null, url: null };
  assert.deepEqual(api.source, { ...nothing, commit: '0123456' });
  assert.partialDeepStrictEqual(api.items, [{ url: null }]);
  const stranger = await look('stranger');
  assert.doesNotMatch(JSON.stringify(stranger), /0123456/);

  specs.source = { repository: undefined, path: 'folder', commit: undefined };
  assert.match((await look('boss')).list, />folder/);
  assert.deepEqual((await look('boss')).api.source, { ...nothing, path: 'folder', commit: null });
  assert.equal((await look('reader')).api.source, null);
});
