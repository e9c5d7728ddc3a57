import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSpecs } from '../../../src/spec/load.ts';
import { samplePreview, sampleRun } from '../../store/samples.ts';
import { createCommits } from '../../../src/http/read/commits.ts';
import { readOverview } from '../../../src/http/read/overview.ts';
import { createRecentRuns } from '../../../src/http/read/recent-runs.ts';
import { startHttp, type Fixture } from '../fixture.ts';
import { logIn } from './browser.ts';

/** So many specs, of which each has deployed `runs` times; the last one of the first failed. */
async function fill({ store, specs }: Fixture, count: number, runs: number): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `service-${index + 1}`);
  const texts = names.map(
    (name, index) =>
      `name: ${name}\nrepository: acme/repository-${Math.floor(index / 4)}\nenvironment: production\non: { push: { branches: [main] } }\nsteps:\n  - run: make\n`,
  );
  specs.specs = parseSpecs('all.yaml', texts.join('---\n')).specs;
  for (const [index, name] of names.entries()) {
    for (let number = 0; number < runs; number += 1) {
      const isBroken = index === 0 && number === runs - 1;
      const run = await store.runs.insert(
        sampleRun(`r${index}x${number}`, {
          spec: name,
          repository: `acme/repository-${Math.floor(index / 4)}`,
          lane: `${name}-production`,
          sha: `${index}`.padStart(3, '0').repeat(13) + String(number % 10),
          state: isBroken ? 'failed' : 'succeeded',
          reason: isBroken ? 'Step Test failed' : 'Deployed',
          startedAt: 1000,
          finishedAt: 61_000,
        }),
        ['make'],
      );
      if (run !== undefined && !isBroken) await store.environments.record(run, 61_000);
    }
  }
}

async function open({ url }: Fixture, path = '/') {
  const answer = await fetch(url + path, { headers: { Cookie: await logIn(url) } });
  assert.equal(answer.status, 200);
  return await answer.text();
}

const placesIn = (text: string) => [...text.matchAll(/<li><svg class="icon/g)].length;

test('the overview of 200 specs with ten runs each is smaller than 100 KB', async (t) => {
  const fixture = await startHttp(t);
  await fill(fixture, 200, 10);
  const text = await open(fixture);
  assert.equal(placesIn(text), 200);
  assert.ok(text.length < 100 * 1024, `${text.length} characters`);
  t.diagnostic(`${text.length} characters`);
});

test('the filter in the address shows what it asks for, and nothing else', async (t) => {
  const fixture = await startHttp(t);
  await fill(fixture, 8, 1);
  assert.equal(placesIn(await open(fixture)), 8);
  assert.equal(placesIn(await open(fixture, '/?repository=acme%2Frepository-1')), 4);
  assert.equal(placesIn(await open(fixture, '/?q=SERVICE-3')), 1);
  assert.equal(placesIn(await open(fixture, '/?environment=production&state=failed')), 1);
  assert.equal(placesIn(await open(fixture, '/?environment=staging')), 0);
  assert.match(await open(fixture, '/?state=running'), /No spec matches/);
});

test('the filter is of what runs and what needs people, too; what is paused is a state of it', async (t) => {
  const fixture = await startHttp(t);
  await fill(fixture, 8, 2);
  const { store } = fixture;
  const at = { spec: 'service-1', repository: 'acme/repository-0', lane: 'service-1-production' };
  const running = { ...at, state: 'running', startedAt: 1, delivery: 'd1' } as const;
  await store.runs.insert(sampleRun('running', running), ['make']);
  for (const delivery of ['d2', 'd3']) {
    await store.runs.insert(sampleRun(delivery, { ...at, delivery, state: 'queued' }), ['make']);
  }
  for (const [run, name] of [
    ['r1x0', 'service-2'],
    ['r5x0', 'service-6'],
  ] as const) {
    await store.pauses.add({ kind: 'spec', name, since: 1, by: 'ines', reason: '' });
    await store.outbox.add(run, [{ target: run, callback: { kind: 'status' } }], 1);
    const [entry] = await store.outbox.ofRun(run);
    await store.outbox.finish(entry?.id ?? 0, 'dead', 2, `no answer for ${run}`);
  }
  assert.match(await open(fixture), /<\/time> of ~1 m 00 s · 2 queued/);
  const first = await open(fixture, '/?repository=acme%2Frepository-0');
  assert.match(first, /1 callback was given up.*r1x0.*service-2<\/span> is paused.*Running now/s);
  assert.doesNotMatch(first, /r5x0|service-6<\/span> is paused/);
  const second = await open(fixture, '/?q=service-6');
  assert.match(second, /1 callback was given up.*r5x0.*service-6<\/span> is paused/s);
  assert.doesNotMatch(second, /r1x0|service-2<\/span> is paused|Running now/);
  const paused = await open(fixture, '/?state=paused');
  assert.equal(placesIn(paused), 2);
  assert.match(paused, /<option value="paused" selected>Paused.*Running now/s);
});

test('what runs shows for how long beside how long it usually takes, and what is blocked its gate', async (t) => {
  const fixture = await startHttp(t);
  await fill(fixture, 2, 2);
  const more = (name: string) => ({ spec: name, lane: `${name}-production`, delivery: name });
  const running = { ...more('service-1'), state: 'running', startedAt: 1 } as const;
  await fixture.store.runs.insert(sampleRun('running', running), ['make']);
  const blocked = {
    ...more('service-2'),
    state: 'blocked',
    reason: 'Paused by ines since 1970-01-01T00:00Z (spec x): Waiting for <1> approval',
  } as const;
  await fixture.store.runs.insert(sampleRun('blocked', blocked), ['make']);
  const text = await open(fixture);
  assert.match(text, /aria-label="Progress of service-1" max="60000".*<\/time> of ~1 m 00 s/s);
  const places = /<div class="panel places">.*/s.exec(text)?.[0] ?? '';
  assert.match(
    places,
    /service-1.*Running <code.*<\/time> of ~1 m 00 s.*service-2.*Blocked <code.*<p class="muted cut" title="Paused by ines since 1970-01-01 00:00 UTC [^"]*">Paused by ines <time datetime="1970-01-01T00:00:00\.000Z" title="1970-01-01 00:00:00 UTC">[^<]* ago<\/time> \(spec x\): Waiting for &lt;1&gt; approval/s,
  );
});

test('a spec that deploys pull requests alone says how many previews are up, to each only those that may be seen', async (t) => {
  const fixture = await startHttp(t);
  const { store, specs, deps } = fixture;
  const repository = 'acme/storefront';
  const text = `name: preview\nrepository: ${repository}\non: { pull_request: {} }\nteardown: [{ run: x }]\nsteps: [{ run: x }]\n`;
  specs.specs = parseSpecs('all.yaml', text).specs;
  assert.equal(specs.specs.length, 1);
  assert.match(await open(fixture), /Previews only<p>None is up/);
  for (const number of [1, 2, 3]) {
    await store.previews.note(
      samplePreview({ number, ...(number === 3 ? { state: 'ended' } : {}) }),
    );
  }
  await store.previews.note(samplePreview({ number: 4, repository: 'acme/other' }));
  assert.match(await open(fixture), /Previews only<p>3 are up/);
  const viewer = { visible: [repository], canSee: (name: string) => name === repository };
  const { places } = await readOverview(
    { ...deps, commits: createCommits(store), recentRuns: createRecentRuns(deps) },
    viewer as never,
  );
  assert.deepEqual(
    places.map(({ previews }) => previews),
    [2],
  );
});

test('a pause says why at its place, in the list of specs and on the page of the spec', async (t) => {
  const fixture = await startHttp(t);
  await fill(fixture, 2, 2);
  const reason = 'rolled back to aaaaaaa: the cart is empty';
  const target = { kind: 'lane', name: 'service-2-production' } as const;
  await fixture.store.pauses.add({ ...target, since: 1, by: 'ines', reason });
  assert.match(await open(fixture), new RegExp(`<p class="tone is-paused">Paused</p>.*${reason}`));
  for (const path of ['/specs', '/specs/service-2']) {
    assert.match(await open(fixture, path), new RegExp(reason), path);
  }
  // Once its spec is gone, too.
  fixture.specs.specs = fixture.specs.specs.slice(0, 1);
  assert.match(await open(fixture, '/specs/service-2'), new RegExp(reason));
});

test('what needs people stands first: broken specs, dead callbacks, pauses and rollbacks', async (t) => {
  const fixture = await startHttp(t);
  await fill(fixture, 2, 2);
  const { store, specs } = fixture;
  specs.stale = true;
  specs.problems = [
    { file: 'x.yaml', line: 3, column: 1, message: 'there is no "stpes"', excerpt: '<stpes>\n^' },
  ];
  const callback = {
    kind: 'status',
    repository: 'acme/repository-0',
    sha: 'a',
    context: 'c',
    state: 'success',
    description: '',
    targetUrl: undefined,
  };
  await store.outbox.add('r0x0', [{ target: 't', callback }], 1);
  const [entry] = await store.outbox.ofRun('r0x0');
  await store.outbox.finish(entry?.id ?? 0, 'dead', 2, 'GitHub answered 403');
  await store.pauses.add({
    kind: 'spec',
    name: 'service-1',
    since: 1,
    by: 'ines',
    reason: 'Inventory',
  });
  const back = sampleRun('back', {
    spec: 'service-2',
    repository: 'acme/repository-0',
    lane: 'service-2-production',
    cause: 'rollback',
    state: 'succeeded',
    startedAt: 1,
    finishedAt: 2,
  });
  const run = await store.runs.insert(back, ['make']);
  assert.ok(run);
  await store.environments.record(run, 70_000);
  await store.audit.record({
    at: 1,
    actor: 'samir',
    action: 'run.rollback',
    subject: 'r1x1',
    detail: 'made run back: Rollback to aaaaaaa: the <cart> is empty (run r0)',
  });

  const text = await open(fixture);
  const [, attention = ''] = /aria-label="Needs attention">(.*?)<\/section>/s.exec(text) ?? [];
  for (const part of [
    /1 problem in the specs.*x\.yaml:3:1: there is no &quot;stpes&quot;.*<pre [^>]*>&lt;stpes&gt;\n\^<\/pre>/s,
    /1 callback was given up.*GitHub answered 403/s,
    /service-1<\/span> is paused.*By ines.*Inventory.*href="[^"]*specs\/service-1\/resume"/s,
    /service-2<\/a> was rolled back.*By samir.*the &lt;cart&gt; is empty.*specs\/service-2\/history/s,
  ]) {
    assert.match(attention, part);
  }
});
