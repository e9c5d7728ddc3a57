import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { runDemo } from '../../demo/main.ts';
import { createSample } from '../../demo/sample.ts';
import { createTimelines } from '../../demo/timeline.ts';
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

test('a stage that is seen before its push has begun is shown with it, once', async () => {
  const shown: string[] = [];
  const timelines = createTimelines((sha, { stage }) => shown.push(`${sha} ${stage}`));
  timelines.note('a', 'running', 'run 1', 5);
  timelines.note('b', 'running', 'run 2', 5);
  timelines.begin('a', 0).note('202', 'answered', 1);
  await Promise.resolve();
  timelines.note('a', 'ended', 'run succeeded', 9);
  assert.deepEqual(shown, ['a 202', 'a running', 'a ended']);
});

test('a broken spec and a failed run are shown with what is wrong, and where it can be read', async (t) => {
  const specs = await mkdtemp(join(tmpdir(), 'mainsheet-demo-specs-'));
  const spec = (steps: string) =>
    writeFile(
      join(specs, 'a.yaml'),
      `name: storefront\nrepository: acme/storefront\non: push\n${steps}\n`,
    );
  await spec('steps: [{ run: x }]\nodd: 1');
  let shown = '';
  const stdout = new PassThrough();
  stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
  const interrupted = new AbortController();
  const demo = runDemo({ once: false, json: false, specs, stdout, signal: interrupted.signal });
  t.after(async () => {
    interrupted.abort();
    await demo;
    await rm(specs, { recursive: true });
  });
  await until('it stays up', () => /Mainsheet's own log is in \S+controller\.log/.test(shown));
  assert.match(
    shown,
    /✗ Mainsheet: deployment specs are broken; none is in use\n {2}a\.yaml:5:1: /,
  );
  await spec('steps: [{ name: Build, run: exit 7 }]');
  await until('the run that waited fails', () => /✗ failed .*\n.*\n/.test(shown));
  assert.match(shown, /✗ failed +run (\w+): .*Build.*\n +read its log.* logs \1\n/);
  interrupted.abort();
  assert.equal(await demo, 1);
});
