import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSpecs } from '../../../src/spec/load.ts';
import { pushPayload } from '../../commands/payloads.ts';
import { sampleDelivery, sampleRun } from '../../store/samples.ts';
import { asAdmin } from '../../support/admin.ts';
import { startHttp } from '../fixture.ts';

const [A, B] = ['a'.repeat(40), 'b'.repeat(40)];

async function start(t: Parameters<typeof startHttp>[0]) {
  const { store, specs, url } = await startHttp(t);
  const yaml = (name: string, repository: string) =>
    `name: ${name}\nrepository: ${repository}\non: { push: { branches: [main] } }\nsteps: [{ run: make }]\n`;
  const texts = [yaml('storefront', 'acme/storefront'), yaml('docs', 'acme/docs')];
  specs.specs = parseSpecs('all.yaml', texts.join('---\n')).specs;
  const payload = pushPayload({ sha: B, branch: 'next' });
  payload.head_commit.message = '<b>Open</b>';
  await store.accept(sampleDelivery('d1', { payload: JSON.stringify(payload) }));
  const reasons = [{ condition: 'on.push.branches', held: false, detail: '<next> is not main' }];
  const decided = { spec: 'storefront', verdict: { matched: false, reasons }, run: undefined };
  await store.inbox.close('d1', 'processed', { summary: '', specs: [decided] }, 1);
  await store.runs.insert(
    sampleRun('r1', { sha: A, state: 'failed', reason: 'Step Build failed' }),
    [],
  );
  return async (q: string) => {
    const answer = await asAdmin(`${url}/why?${new URLSearchParams({ q }).toString()}`);
    assert.equal(answer.status, 200);
    const text = /<main.*<\/main>/s.exec(await answer.text())?.[0] ?? '';
    assert.doesNotMatch(text, /<b>|<next>|<script/);
    return text;
  };
}

test('a commit is answered with the condition that did not hold and the delivery, or with the run', async (t) => {
  const ask = await start(t);
  const not = await ask('bbbbbbb');
  assert.match(
    not,
    /&lt;b&gt;Open.*acme\/storefront.*Did not match.*deliveries\/d1".*on\.push\.branches.*&lt;next&gt; is not main/s,
  );
  const run = await ask(`https://github.com/acme/storefront/commit/${A}`);
  assert.match(run, /storefront<\/a>.*Failed.*runs\/r1".*Run r1 failed: Step Build failed/s);
  assert.match(await ask('r1'), /aria-label="The run".*Failed: Step Build failed.*aaaaaaa/s);
});

test('what is nothing that can be asked is answered with examples, what is not known with what to do', async (t) => {
  const ask = await start(t);
  const bad = await ask('<script>alert(1)</script>');
  assert.match(bad, /That is no commit, pull request or run.*acme\/storefront#12.*pull\/12/s);
  assert.match(bad, /value="&lt;script&gt;/);
  assert.match(await ask(''), /What can be asked/);
  assert.match(await ask('ccccccc'), /Nothing is known of commit ccccccc.*owner\/name@ccccccc/s);
  assert.match(await ask('acme/storefront@ccccccc'), /Never heard of.*No delivery that is kept/s);
  assert.match(await ask('acme/storefront#12'), /Nothing is known of pull request #12 of acme/);
  assert.match(await ask('zzz'), /Nothing is known of run zzz/);
  assert.match(
    await ask('#12'),
    /Of which repository\?.*why\?q=acme%2Fstorefront%2312".*acme%2Fdocs%2312/s,
  );
});
