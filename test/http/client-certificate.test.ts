import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { parseSpecs } from '../../src/spec/load.ts';
import { startHttp } from './fixture.ts';

const TOKEN = 'a token of sixteen';
const NAMES = 'subjectAltName=DNS:alerts.example,URI:spiffe://acme/alerts';

const directory = mkdtempSync(join(tmpdir(), 'mainsheet-certificates-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const inDirectory = (name: string) => join(directory, name);
const pem = (name: string) => readFileSync(inDirectory(`${name}.pem`), 'utf8');
const openssl = (...args: string[]) =>
  execFileSync('openssl', args, { cwd: directory, stdio: ['ignore', 'pipe', 'ignore'] });

/** A certificate and its key, of an authority or of itself. */
function issue(
  name: string,
  subject: string,
  options: { by?: string; extensions?: string[]; config?: string } = {},
) {
  const { by, extensions = [], config } = options;
  const key = '-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2'.split(' ');
  openssl(
    'req',
    ...key,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.pem`,
    '-subj',
    subject,
    ...(by === undefined ? [] : ['-CA', `${by}.pem`, '-CAkey', `${by}.key`]),
    ...(config === undefined ? [] : ['-config', config]),
    ...extensions.flatMap((one) => ['-addext', one]),
  );
}

const LEAF = 'basicConstraints=critical,CA:FALSE';
issue('ca', '/CN=Authority');
issue('other-ca', '/CN=Authority');
issue('alerts', '/O=Acme/CN=alerts', { by: 'ca', extensions: [LEAF, NAMES] });
// Only its signature says that another one of that name has issued it.
issue('impostor', '/O=Acme/CN=alerts', {
  by: 'other-ca',
  extensions: [LEAF, NAMES, 'authorityKeyIdentifier=none'],
});
issue('own', '/O=Acme/CN=alerts', { extensions: [NAMES] });
issue('robot', '/O=Acme/CN=robot', { by: 'ca', extensions: [LEAF] });
// One name that reads like two.
writeFileSync(
  inDirectory('tricky.cnf'),
  [
    '[req]\ndistinguished_name=dn\nx509_extensions=v3\nprompt=no\n[dn]\nO=Acme\nCN=x',
    `[v3]\n${LEAF.replace('=', ' = ')}\nsubjectAltName=@names\n[names]\nURI.1=x, DNS:alerts.example\n`,
  ].join('\n'),
);
issue('tricky', '/O=Acme/CN=x', { by: 'ca', config: 'tricky.cnf' });
issue('server', '/CN=localhost', {
  by: 'ca',
  extensions: [LEAF, 'subjectAltName=IP:127.0.0.1', 'extendedKeyUsage=serverAuth'],
});

const fingerprint = new X509Certificate(pem('alerts')).fingerprint256;
const HEADER = 'ssl-client-cert';

function start(t: TestContext, rule: string, more: object = {}) {
  const text = `kind: hook\nid: a\nsecrets: T\nsender: { header: X-Token }\nclient-certificate: ${rule}`;
  const { hooks, problems } = parseSpecs('x.yaml', text);
  assert.deepEqual(problems, []);
  return startHttp(t, {
    hooks: hooks.map(({ hook }) => hook),
    hookSecrets: { T: TOKEN },
    trustedProxies: ['127.0.0.1'],
    now: Date.now(),
    clientCertificates: { authorities: [pem('ca')], header: HEADER, listener: undefined },
    ...more,
  });
}

async function send({ url }: { url: string }, shown: string | undefined, header = HEADER) {
  const response = await fetch(`${url}/webhooks/v1/hooks/a`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'X-Token': TOKEN,
      ...(shown === undefined ? {} : { [header]: shown }),
    },
    body: '{}',
  });
  await response.body?.cancel();
  return response.status;
}

const encoded = (name: string) => encodeURIComponent(pem(name));
const der = (name: string) => pem(name).replaceAll(/-----[A-Z ]+-----|\s/g, '');

for (const rule of [
  '{ subject: "CN=alerts,O=Acme" }',
  '{ subject: ["CN=no", "O=Acme, CN=alerts"] }',
  '{ san: "DNS:alerts.example" }',
  '{ san: "URI:spiffe://acme/alerts" }',
  `{ fingerprint: "${fingerprint}" }`,
  `{ subject: "CN=alerts,O=Acme", san: "DNS:alerts.example", fingerprint: ${fingerprint.replaceAll(':', '').toLowerCase()} }`,
]) {
  test(`a hook with client-certificate: ${rule} takes that one, of the authority, and no other`, async (t) => {
    const fixture = await start(t, rule);
    assert.equal(await send(fixture, encoded('alerts')), 202);
    for (const other of ['impostor', 'own', 'robot', 'tricky', 'server']) {
      assert.equal(await send(fixture, encoded(other)), 403, other);
    }
    assert.equal(await send(fixture, undefined), 403);
  });
}

test('the name that reads like two is there', () => {
  assert.match(new X509Certificate(pem('tricky')).subjectAltName ?? '', /DNS:alerts\.example/);
});

test('each part of the rule has to hold', async (t) => {
  const fixture = await start(t, '{ subject: "CN=alerts,O=Acme", san: "DNS:other.example" }');
  assert.equal(await send(fixture, encoded('alerts')), 403);
});

test('proxies write a certificate in several ways, and what is none of them or is several is refused', async (t) => {
  const fixture = await start(t, '{ san: "DNS:alerts.example" }');
  const own = encoded('alerts');
  const element = `By=spiffe://x;Hash=00;Subject="CN=a, O=b";Cert="${own}"`;
  for (const shown of [own, der('alerts'), `:${der('alerts')}:`, element]) {
    assert.equal(await send(fixture, shown), 202, shown);
  }
  for (const shown of [
    '',
    'x',
    '%',
    `${own}, ${own}`,
    `${element},${element}`,
    `Hash=00;Cert="${encoded('robot')}",${element}`,
    'Subject="O=Acme,CN=alerts";DNS=alerts.example',
    `Subject="Cert=";Cert="${encoded('robot')}"`,
    `Subject=";Cert=%22${own}"`,
    own.slice(0, -200),
  ]) {
    assert.equal(await send(fixture, shown), 403, shown);
  }
});

test('a header that comes from no trusted proxy, or that the operator did not name, counts for nothing', async (t) => {
  const rule = '{ san: "DNS:alerts.example" }';
  const untrusted = await start(t, rule, { trustedProxies: ['192.0.2.1'] });
  assert.equal(await send(untrusted, encoded('alerts')), 403);
  assert.match(JSON.stringify(untrusted.log), /no client certificate that counts was shown/);
  const named = await start(t, rule);
  assert.equal(await send(named, encoded('alerts'), 'x-forwarded-client-cert'), 403);
  const unnamed = await start(t, rule, {
    clientCertificates: { authorities: [pem('ca')], header: undefined, listener: undefined },
  });
  assert.equal(await send(unnamed, encoded('alerts')), 403);
  const unset = await start(t, rule, { clientCertificates: undefined });
  assert.equal(await send(unset, encoded('alerts')), 403);
});

test('a certificate that is not valid any more, or not yet, is refused', async (t) => {
  for (const days of [-1, 3]) {
    const fixture = await start(t, '{ san: "DNS:alerts.example" }', {
      now: Date.now() + days * 86_400_000,
    });
    assert.equal(await send(fixture, encoded('alerts')), 403);
  }
});

test('the listener with TLS takes a client by its certificate, and no header and no other route', async (t) => {
  const fixture = await start(t, '{ san: "DNS:alerts.example" }', {
    clientCertificates: {
      authorities: [pem('ca')],
      header: HEADER,
      listener: {
        port: 0,
        certificate: pem('server'),
        key: readFileSync(inDirectory('server.key'), 'utf8'),
      },
    },
  });
  const { secureServer } = fixture;
  assert.ok(secureServer);
  await new Promise<void>((resolve) => secureServer.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    secureServer.close();
    secureServer.closeAllConnections();
  });
  const { port } = secureServer.address() as AddressInfo;
  const ask = (name: string | undefined, path = '/webhooks/v1/hooks/a', headers = {}) =>
    new Promise<number | undefined>((resolve) => {
      const client =
        name === undefined
          ? {}
          : { cert: pem(name), key: readFileSync(inDirectory(`${name}.key`), 'utf8') };
      const asked = request(
        {
          host: '127.0.0.1',
          port,
          path,
          method: 'POST',
          ca: pem('ca'),
          agent: false,
          ...client,
          headers: { 'Content-Type': 'application/json', 'X-Token': TOKEN, ...headers },
        },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      );
      asked.on('error', () => resolve(undefined));
      asked.end('{}');
    });
  assert.equal(await ask('alerts'), 202);
  assert.equal(await ask('robot'), 403);
  assert.equal(await ask('robot', undefined, { [HEADER]: encoded('alerts') }), 403);
  for (const name of ['impostor', 'own', undefined]) assert.equal(await ask(name), undefined);
  assert.equal(await ask('alerts', '/api/v1/runs'), 404);
  assert.equal(await ask('alerts', '/metrics'), 404);
});
