import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { runDemo } from '../../demo/main.ts';
import { createSample } from '../../demo/sample.ts';
import { until } from '../support/until.ts';

/** Not what is only on the way: GitHub is not told of it when the end is there first. */
const STAGES = [
  '202',
  'matched',
  'running',
  'deployment created',
  'checkout',
  'step',
  'ended',
  'status success',
  'deployment success',
  'dispatch',
];

test('the demo shows the whole timeline of every push', async (t) => {
  let shown = '';
  const stdout = new PassThrough();
  stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
  const interrupted = new AbortController();
  const demo = runDemo({ once: false, json: false, stdout, signal: interrupted.signal });
  t.after(async () => {
    interrupted.abort();
    await demo;
  });
  const [, token = '', host = ''] = await until(
    'it invites to push',
    () =>
      /git clone http:\/\/x-access-token:(.+)@(.+?)\/acme\/storefront\.git/.exec(shown) ??
      undefined,
  );
  const sample = await createSample({ url: `http://${host}`, token }, 'acme/storefront');
  t.after(() => sample.close());

  for (const message of ['again', 'and again']) {
    const sha = await sample.commit({ message });
    await sample.push('main');
    const header = `# push of ${sha.slice(0, 7)}\n`;
    await until(`all of ${message} is shown`, () => {
      const [, after = ''] = shown.split(header);
      return STAGES.every((stage) => after.includes(`✓ ${stage} `));
    });
    const [, after = ''] = shown.split(header);
    assert.match(after, /✓ step +Build: succeeded/);
    assert.match(after, /✓ step +Smoke: succeeded/);
  }
  interrupted.abort();
  assert.equal(await demo, 0);
});
