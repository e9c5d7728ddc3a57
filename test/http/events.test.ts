import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { startHttp } from './fixture.ts';
import { nextEvent, readEvents } from './read-events.ts';
import { asAdmin } from '../support/admin.ts';

test('whatever happens in the process is told as it happens', async (t) => {
  const { url, news } = await startHttp(t);
  const response = await asAdmin(`${url}/api/v1/events`);
  assert.match(response.headers.get('Content-Type') ?? '', /^text\/event-stream/);
  const events = readEvents(response);
  news.publish({ kind: 'delivery', delivery: 'd1', repository: 'acme/storefront' });
  news.publish({ kind: 'run', run: 'r1', state: 'running', spec: 'storefront' });
  assert.deepEqual(await nextEvent(events), {
    event: 'delivery',
    id: undefined,
    data: { delivery: 'd1', repository: 'acme/storefront' },
  });
  assert.deepEqual(await nextEvent(events), {
    event: 'run',
    id: undefined,
    data: { run: 'r1', state: 'running', spec: 'storefront' },
  });
  await events.return(undefined);
});

test('a listener that does not read is cut off, without a warning, and the others hear everything', async (t) => {
  const { port, url, news } = await startHttp(t);
  const warnings: Error[] = [];
  const warned = (warning: Error) => warnings.push(warning);
  process.on('warning', warned);
  t.after(() => process.off('warning', warned));

  const deaf = connect(port, '127.0.0.1');
  deaf.on('error', () => undefined);
  deaf.write('GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  await once(deaf, 'readable');

  const events = readEvents(await asAdmin(`${url}/api/v1/events`));
  const spec = 'x'.repeat(16 * 1024);
  for (let index = 0; index < 2500; index += 1) {
    news.publish({ kind: 'run', run: `r${index}`, state: 'running', spec });
    assert.equal((await nextEvent(events)).data['run'], `r${index}`);
  }
  await events.return(undefined);

  let length = 0;
  deaf.on('data', (chunk: Buffer) => (length += chunk.length));
  if (!deaf.readableEnded) await once(deaf, 'end');
  assert.ok(length < 2400 * spec.length, `${length} bytes`);
  assert.deepEqual(warnings, []);
  deaf.destroy();
});
