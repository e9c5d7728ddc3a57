import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { readWayOut } from '../../src/config/way-out.ts';
import { createFetch, proxyFor, wayOutProblem } from '../../src/lib/way-out.ts';
import { CA_FILE, startProxy, startTls } from '../support/way-out.ts';

function wayOut(env: Record<string, string>) {
  const { wayOut: settings, problems } = readWayOut(env);
  assert.deepEqual(problems, []);
  return settings;
}

test('a proxy is for its scheme, never for loopback, and not for what NO_PROXY names', () => {
  const settings = wayOut({
    HTTPS_PROXY: 'http://secure.example:3128',
    http_proxy: 'plain.example:8080',
    NO_PROXY:
      'internal.example, .corp.example,*.lab.example only.example:8443 10.0.0.0/8 192.0.2.7 fd00::/8',
  });
  const secure = 'http://secure.example:3128/';
  const cases: [string, string | undefined][] = [
    ['https://api.github.com/x', secure],
    ['http://api.github.com/x', 'http://plain.example:8080/'],
    ['https://localhost:3000', undefined],
    ['https://a.localhost', undefined],
    ['https://127.0.0.2:3000', undefined],
    ['http://[::1]:3000', undefined],
    ['https://internal.example', undefined],
    ['https://git.INTERNAL.example', undefined],
    ['https://notinternal.example', secure],
    ['https://a.corp.example', undefined],
    ['https://corp.example', undefined],
    ['https://x.lab.example', undefined],
    ['https://only.example:8443', undefined],
    ['https://only.example', secure],
    ['https://10.1.2.3', undefined],
    ['https://11.1.2.3', secure],
    ['https://192.0.2.7', undefined],
    ['https://[fd12::1]', undefined],
    ['https://[fe80::1]', secure],
  ];
  for (const [url, proxy] of cases) assert.equal(proxyFor(settings, new URL(url)), proxy, url);

  const all = wayOut({ ALL_PROXY: 'http://all.example', NO_PROXY: '*' });
  assert.equal(all.httpsProxy, 'http://all.example/');
  assert.equal(proxyFor(all, new URL('https://github.com')), undefined);
});

test('a proxy that is none, and a file without certificates, are said without showing a password', () => {
  const bad = { HTTPS_PROXY: 'socks5://u:hunter2@proxy', MAINSHEET_CA_FILE: import.meta.filename };
  const { problems } = readWayOut(bad);
  assert.match(problems.join('\n'), /^HTTPS_PROXY is no http or https proxy: write it like/);
  assert.match(problems.join('\n'), /MAINSHEET_CA_FILE holds no certificate/);
  assert.doesNotMatch(problems.join('\n'), /hunter2/);
  const missing = readWayOut({ MAINSHEET_CA_FILE: '/nowhere/ca.pem' }).problems;
  assert.match(missing.join('\n'), /MAINSHEET_CA_FILE cannot be used: .*ENOENT/);
  const { warnings } = readWayOut({ NODE_EXTRA_CA_CERTS: CA_FILE });
  assert.match(
    warnings.join('\n'),
    /NODE_EXTRA_CA_CERTS is not heard by git: set MAINSHEET_CA_FILE/,
  );
});

async function startWorld(t: TestContext, user?: string) {
  const tls = await startTls((request, response) => {
    response.end(`${request.headers.host}${request.url}`);
  });
  const proxy = await startProxy({ 'forge.test': tls.port }, user === undefined ? {} : { user });
  t.after(async () => {
    await proxy.close();
    await tls.close();
  });
  return { proxy, tls };
}

test('requests go through the proxy, with its password, to a server whose authority is our own', async (t) => {
  const { proxy } = await startWorld(t, 'me:p@ss');
  const HTTPS_PROXY = `http://me:p%40ss@127.0.0.1:${proxy.port}`;
  const send = createFetch(wayOut({ HTTPS_PROXY, MAINSHEET_CA_FILE: CA_FILE }));
  const response = await send('https://forge.test/x', { method: 'POST', body: 'hello' });
  assert.equal(await response.text(), 'forge.test/x');
  assert.deepEqual(proxy.asked, ['CONNECT forge.test:443']);
});

test('an authority that is not trusted, and a proxy that refuses, are told apart from a server that is away', async (t) => {
  const { proxy, tls } = await startWorld(t, 'me:secret');
  const problemWith = async (env: Record<string, string>, url = 'https://forge.test/') => {
    try {
      await createFetch(wayOut(env))(url);
      return 'answered';
    } catch (error) {
      return wayOutProblem(error)?.code;
    }
  };
  const HTTPS_PROXY = `http://me:secret@127.0.0.1:${proxy.port}`;
  assert.equal(await problemWith({ HTTPS_PROXY }), 'certificate-untrusted');
  assert.equal(await problemWith({}, `https://127.0.0.1:${tls.port}/`), 'certificate-untrusted');
  const wrong = { HTTPS_PROXY: proxy.url, MAINSHEET_CA_FILE: CA_FILE };
  assert.equal(await problemWith(wrong), 'proxy-refused');
  assert.equal(await problemWith({ ...wrong, HTTPS_PROXY }, 'https://away.test/'), undefined);
});

test('a plain request is sent to the proxy whole, without a tunnel', async (t) => {
  const plain = await startProxy({});
  t.after(() => plain.close());
  const response = await createFetch(wayOut({ HTTP_PROXY: plain.url }))('http://plain.test/x');
  assert.equal(response.status, 502);
  assert.deepEqual(plain.asked, ['GET http://plain.test/x']);
});
