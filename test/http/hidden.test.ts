import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleDelivery } from '../store/samples.ts';
import { startHttp } from './fixture.ts';
import { logIn, SAME_SITE } from './pages/browser.ts';
import { logInAs, peopleWith } from './people.ts';
import { nextEvent, readEvents } from './read-events.ts';
import { fillTwo, HOOKS, pathWith, SECRET, type Ids } from './two-repositories.ts';

test('no answer tells a stranger of a private repository, nor whether something is in it', async (t) => {
  const people = peopleWith(
    { reader: { 'acme/storefront': 'admin' }, stranger: {}, boss: {} },
    { admins: [{ login: 'boss' }] },
  );
  const { url, routes, store, specs, asked, news } = await startHttp(t, {
    people,
    hooks: HOOKS,
    sleep: async () => undefined,
  });
  const { open, closed } = await fillTwo(store, specs);
  const unknown: Ids = {
    runs: 'no-run',
    deliveries: 'no-delivery',
    name: 'nosuchname',
    entry: '999',
  };
  const same = (text: string, { entry, ...ids }: Ids) =>
    Object.values(ids)
      .reduce((left, id) => left.replaceAll(id, '…'), text)
      .replaceAll(new RegExp(`(callback|entry|callbacks/)( ?)${entry}\\b`, 'g'), '$1$2…');

  for (const login of ['reader', 'stranger']) {
    const headers = { Cookie: await logInAs(url, login) };
    const read = async (method: string, path: string, sent: object | undefined) => {
      const isForm = sent === undefined || sent instanceof URLSearchParams;
      const answer = await fetch(url + path, {
        method,
        redirect: 'manual',
        headers: {
          ...headers,
          ...SAME_SITE,
          ...(isForm ? {} : { 'Content-Type': 'application/json' }),
        },
        ...(method === 'GET' ? {} : { body: isForm ? (sent ?? '') : JSON.stringify(sent) }),
      });
      const all = [...answer.headers].filter(
        ([name]) => !/^(?:date|etag|content-length|connection|keep-alive)$/.test(name),
      );
      return { status: answer.status, text: `${JSON.stringify(all)}\n${await answer.text()}` };
    };
    for (const route of routes()) {
      const [method = '', path = ''] = route.split(' ');
      if (/\/(?:log(?:in|out)|theme|auth|badge|live|events|healthz|readyz|metrics)\b/.test(path)) {
        continue;
      }
      if (method === 'GET') {
        for (const query of ['', `?${LISTS[path] ?? ''}`]) {
          const { status, text } = await read('GET', pathWith(path, open) + query, undefined);
          assert.ok(
            !text.includes(SECRET) && !text.includes('closed-'),
            `${login}: ${route}${query}`,
          );
          assert.ok(status < 500, `${route}: ${status}`);
        }
      }
      const compare = async (hiddenPath: string, nonePath: string, send?: Send) => {
        const hidden = await read(method, hiddenPath, send?.(closed));
        const none = await read(method, nonePath, send?.(unknown));
        assert.ok(hidden.status < 500, `${login}: ${route}: ${hidden.status}`);
        assert.equal(hidden.status, none.status, `${login}: ${route}`);
        assert.equal(same(hidden.text, closed), same(none.text, unknown), `${login}: ${route}`);
        return hidden;
      };
      const query = NAMED[route];
      if (query !== undefined) {
        const at = pathWith(path, open);
        await compare(`${at}?${query(closed)}`, `${at}?${query(unknown)}`);
        await compare(
          `${pathWith(path, closed)}?${query(open)}`,
          `${pathWith(path, unknown)}?${query(open)}`,
        );
        assert.deepEqual(asked, [], `${login}: ${route}: and nothing was done`);
      }
      const sends = SENT[route] ?? [];
      for (const send of sends) {
        await compare(pathWith(path, open), pathWith(path, open), send);
        asked.length = 0;
      }
      if (!path.includes(':')) continue;
      for (const send of [undefined, ...sends]) {
        const hidden = await compare(pathWith(path, closed), pathWith(path, unknown), send);
        assert.ok([400, 403, 404].includes(hidden.status), `${login}: ${route}: ${hidden.status}`);
      }
      assert.deepEqual(asked, [], `${login}: ${route}: and nothing was done`);
    }
  }

  const follow = async (login: string, path: string) => {
    const headers = { Cookie: await logInAs(url, login) };
    return readEvents(await fetch(url + path, { headers }));
  };
  const heard = await follow('reader', '/api/v1/events');
  const all = await follow('boss', '/api/v1/events');
  const page = await follow('stranger', '/live?of=deliveries');
  assert.equal((await nextEvent(page)).event, 'changed', 'as at the beginning of each');
  const unheard = [await follow('stranger', '/api/v1/events'), page];
  const happen = (id: string, spec: string) => {
    news.publish({ kind: 'delivery', delivery: `${id}-delivery`, repository: `acme/${spec}` });
    news.publish({ kind: 'run', run: `${id}-run`, state: 'running', spec });
    news.publish({ kind: 'specs', count: 2, stale: false });
  };
  happen('closed', SECRET);
  happen('open', 'storefront');
  const [first, second] = [await nextEvent(heard), await nextEvent(heard)];
  assert.deepEqual([first.data['delivery'], second.data['run']], ['open-delivery', 'open-run']);
  // Where rights may have changed a stream ends, and the browser asks for it again.
  news.publish({ kind: 'access', repository: undefined });
  for (const stream of [heard, ...unheard]) {
    for await (const event of stream) assert.fail(`a stranger hears ${JSON.stringify(event)}`);
  }
  const told = [];
  for await (const event of all) told.push(event);
  assert.equal(told.length, 6, 'that of an administrator ends, too');
});

test('a stream says the same at its beginning, whatever has happened', async (t) => {
  const { url, news } = await startHttp(t, { people: peopleWith({ stranger: {} }) });
  const headers = { Cookie: await logInAs(url, 'stranger') };
  for (const happened of [0, 1]) {
    const events = readEvents(await fetch(`${url}/live`, { headers }));
    assert.equal((await nextEvent(events)).event, 'changed', String(happened));
    await events.return(undefined);
    news.publish({ kind: 'delivery', delivery: 'd', repository: `acme/${SECRET}` });
  }
});

test('those who see nothing are told to ask for access, and those who may do everything how to set up a server', async (t) => {
  const { url } = await startHttp(t, { people: peopleWith({ stranger: {} }) });
  const [stranger, admin] = [await logInAs(url, 'stranger'), await logIn(url)];
  const page = async (path: string, Cookie: string) =>
    await (await fetch(url + path, { headers: { Cookie } })).text();
  const how = /MAINSHEET_|mainsheet (?:send|validate)|beside the specs/;
  for (const path of ['/', '/specs', '/hooks', '/deliveries', '/deliveries?event=ping']) {
    const text = await page(path, stranger);
    assert.match(text, /Nothing that you may see yet/, path);
    assert.doesNotMatch(text, how, path);
    assert.match(await page(path, admin), how, path);
  }
});

test('deliveries can be narrowed to each event that is shown, and to the one that is chosen', async (t) => {
  const { url, store } = await startHttp(t);
  await store.accept(sampleDelivery('d1', { event: 'hook:registry' }));
  const Cookie = await logIn(url);
  const events = async (query: string) => {
    const text = await (await fetch(`${url}/deliveries${query}`, { headers: { Cookie } })).text();
    const [, select = ''] = /<select[^>]*name="event"[^>]*>(.*?)<\/select>/s.exec(text) ?? [];
    return [...select.matchAll(/<option value="([^"]+)"( selected)?>/g)].map(
      ([, event, chosen]) => event + (chosen ?? ''),
    );
  };
  const all = await events('');
  for (const event of ['push', 'pull_request', 'check_run', 'hook:registry']) {
    assert.ok(all.includes(event), event);
  }
  assert.ok((await events('?event=teardown:shop')).includes('teardown:shop selected'));
});

type Send = (ids: Ids) => object;

const pushTo = ({ name }: Ids) => ({
  ref: 'refs/heads/main',
  after: 'a'.repeat(40),
  repository: { full_name: `acme/${name}` },
});
const specOf = ({ name }: Ids, called = name) =>
  `name: ${called}\nrepository: acme/${name}\non: { push: {} }\nsteps: [{ run: make }]\n`;
const reason: Send = ({ name }) => new URLSearchParams({ reason: name });

/** What is sent where a body is read: it names what is hidden, or what is not there. The rest reads none. */
const SENT: Record<string, Send[]> = {
  'POST /api/v1/specs/:name/try': [
    () => ({ event: 'push', ref: 'main' }),
    (ids) => ({ event: 'push', payload: pushTo(ids) }),
  ],
  'POST /api/v1/backtest': [
    (ids) => ({ specs: [{ file: 'a.yaml', text: specOf(ids) }] }),
    (ids) => ({ specs: [{ file: 'a.yaml', text: specOf(ids) }], only: [ids.name] }),
    (ids) => ({ specs: [{ file: 'a.yaml', text: specOf(ids, 'storefront') }] }),
  ],
  'POST /api/v1/hooks': [({ name }) => ({ hook: 'alerts', owner: name, specs: [name] })],
  'POST /api/v1/hooks/:id/test': [({ name }) => ({ body: name })],
  'POST /specs/:name/try': [
    () => new URLSearchParams({ event: 'push', ref: 'main' }),
    (ids) => new URLSearchParams({ event: 'push', payload: JSON.stringify(pushTo(ids)) }),
  ],
  'POST /specs/:name/backtest': [
    (ids) => new URLSearchParams({ text: specOf(ids) }),
    (ids) => new URLSearchParams({ text: specOf(ids, 'storefront') }),
  ],
  'POST /specs/:name/deploy': [({ name }) => new URLSearchParams({ revision: name })],
  'POST /specs/:name/pause': [reason],
  'POST /specs/:name/resume': [reason],
  'POST /lanes/:name/pause': [reason],
  'POST /lanes/:name/resume': [reason],
  'POST /runs/:id/approve': [reason],
  'POST /runs/:id/reject': [reason],
  'POST /runs/:id/override': [reason],
  'POST /callbacks/:id/resend': [() => new URLSearchParams({ target: 'true' })],
  'POST /hooks/:id/try': [({ name }) => new URLSearchParams({ body: name })],
};

/** Queries of what changes something: they name what is hidden, or what is not there. */
const NAMED: Record<string, (ids: Ids) => string> = {
  'POST /api/v1/runs/:id/rollback': ({ runs }) => `to=${runs}`,
  'POST /api/v1/specs/:name/rollback': ({ runs }) => `to=${runs}`,
};

/** Filters of lists that name what is hidden. */
const LISTS: Record<string, string> = {
  '/': 'q=skunk',
  '/runs': 'spec=skunk',
  '/api/v1/runs': 'delivery=closed-delivery',
  '/api/v1/deliveries': 'state=processed',
  '/api/v1/outbox': 'state=dead',
  '/callbacks': 'state=dead',
  '/why': 'q=aaaaaaa',
  '/api/v1/ask': 'q=aaaaaaa',
};
