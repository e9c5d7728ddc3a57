import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createAsk } from '../../../src/controller/operator/ask.ts';
import { pullCommits } from '../../../src/controller/operator/pull-commits.ts';
import { readQuestion } from '../../../src/controller/operator/question.ts';
import { createWhy } from '../../../src/controller/operator/why.ts';
import { parseSpecs } from '../../../src/spec/load.ts';
import type { Store } from '../../../src/store/index.ts';
import { pushPayload } from '../../commands/payloads.ts';
import { sampleDelivery, sampleRun } from '../../store/samples.ts';
import { bothEngines } from '../../support/engines.ts';

const [A, B, C] = ['a', 'b', 'c'].map((letter) => letter.repeat(40)) as [string, string, string];

function setUp(store: Store, ...repositories: string[]) {
  const texts = repositories.map(
    (repository, index) =>
      `name: spec${index}\nrepository: ${repository}\non: { push: { branches: [main] } }\nsteps: [{ run: make }]\n`,
  );
  const { specs } = parseSpecs('all.yaml', texts.join('---\n'));
  const catalog = {
    current: () => ({ specs, problems: [], loadedAt: 1, stale: false }),
    forRepository: (name: string) =>
      specs.filter(({ spec }) => spec.repository.toLowerCase() === name.toLowerCase()),
  };
  const ask = createAsk({ why: createWhy({ store, catalog }), store, catalog });
  return {
    async came(id: string, event: string, payload: object, repository = 'acme/storefront') {
      await store.accept(
        sampleDelivery(id, { event, repository, payload: JSON.stringify(payload) }),
      );
      await store.inbox.close(id, 'processed', { summary: 'seen', specs: [] }, 2000);
    },
    async ask(text: string, hidden = '') {
      const question = readQuestion(text, { githubUrl: 'https://github.com' });
      assert.ok(question);
      return await ask(question, (repository) => repository !== hidden);
    },
  };
}

const short = (commits: readonly { repository: string; sha: string; role: string }[]) =>
  commits.map(({ repository, sha, role }) => `${repository} ${sha.slice(0, 7)} ${role}`);

for (const [engine, open] of bothEngines()) {
  describe(`asking on ${engine}`, () => {
    test('a pull request is what merged it, by its event or by the message of the merge, and its newest commit', async (t) => {
      const { came, ask } = setUp(await open(t), 'acme/storefront');
      const pull = {
        number: 12,
        head: { sha: A, ref: 'x', repo: { full_name: 'acme/storefront' } },
        base: { ref: 'main' },
        title: 'Open the shop',
        state: 'closed',
        updated_at: '2026-01-01T00:00:00Z',
        merged: true,
        merge_commit_sha: B,
      };
      const repository = { full_name: 'acme/storefront' };
      await came('d1', 'pull_request', {
        action: 'closed',
        number: 12,
        pull_request: pull,
        repository,
      });
      const squashed = pushPayload({ sha: C });
      const message = 'Open the shop (#13)\n\nmore';
      await came('d2', 'push', { ...squashed, head_commit: { ...squashed.head_commit, message } });
      const byEvent = await ask('acme/storefront#12');
      assert.deepEqual(short(byEvent.commits), [
        'acme/storefront bbbbbbb merged',
        'acme/storefront aaaaaaa head',
      ]);
      assert.match(byEvent.commits[1]?.specs[0]?.summary ?? '', /Delivery d1: seen/);
      // Without its repository, where there is only one.
      assert.deepEqual(short((await ask('#13')).commits), ['acme/storefront ccccccc merged']);
      assert.deepEqual(short((await ask('#1')).commits), []);
    });

    test('a commit is looked for in all repositories, first among the runs, and one that only a push began at is not found', async (t) => {
      const store = await open(t);
      const { came, ask } = setUp(store, 'acme/storefront', 'acme/Docs');
      await store.runs.insert(sampleRun('r1', { sha: A, repository: 'acme/storefront' }), []);
      assert.deepEqual(short((await ask('aaaaaaa')).commits), ['acme/storefront aaaaaaa commit']);
      await came('d1', 'push', { ...pushPayload({ sha: B }), before: C }, 'acme/docs');
      assert.deepEqual(short((await ask('bbbbbbb')).commits), ['acme/Docs bbbbbbb commit']);
      assert.deepEqual(short((await ask('ccccccc')).commits), []);
    });

    test('a run is told with the commit that it deploys, its own spec first', async (t) => {
      const store = await open(t);
      const { ask } = setUp(store, 'acme/storefront', 'acme/storefront');
      await store.runs.insert(sampleRun('r1', { sha: A, spec: 'spec1' }), []);
      const { run, commits } = await ask('r1');
      assert.equal(run?.id, 'r1');
      assert.deepEqual(
        commits[0]?.specs.map(({ spec }) => spec),
        ['spec1', 'spec0'],
      );
    });

    test('a run that may not be seen hides no delivery of the same commit', async (t) => {
      const store = await open(t);
      const { came, ask } = setUp(store, 'acme/storefront', 'acme/docs', 'acme/web');
      await store.runs.insert(sampleRun('r1', { sha: B, repository: 'acme/storefront' }), []);
      await came('d1', 'push', pushPayload({ sha: B }), 'acme/docs');
      const { commits } = await ask('bbbbbbb', 'acme/storefront');
      assert.deepEqual(short(commits), ['acme/docs bbbbbbb commit']);
    });

    test('what may not be seen is answered as what is not there', async (t) => {
      const store = await open(t);
      const { came, ask } = setUp(store, 'acme/storefront', 'acme/hidden');
      const more = { sha: A, repository: 'acme/hidden', spec: 'spec1' };
      await store.runs.insert(sampleRun('r1', more), []);
      await came('d1', 'push', pushPayload({ sha: B }), 'acme/hidden');
      for (const [text, unknown] of [
        ['r1', 'r2'],
        ['aaaaaaa', 'ddddddd'],
        ['bbbbbbb', 'ddddddd'],
        ['acme/hidden@aaaaaaa', 'acme/none@ddddddd'],
        ['acme/hidden#12', 'acme/none#12'],
      ] as const) {
        const { question: _, ...hidden } = await ask(text, 'acme/hidden');
        const { commits } = hidden;
        assert.doesNotMatch(JSON.stringify(hidden), /acme\/hidden/, text);
        if (!unknown.includes('/')) {
          const { question: __, ...nothing } = await ask(unknown, 'acme/hidden');
          assert.deepEqual(
            [short(commits).length, hidden.choices],
            [short(nothing.commits).length, nothing.choices],
            text,
          );
        } else assert.deepEqual(commits, []);
      }
      assert.deepEqual((await ask('#12')).choices, ['acme/storefront', 'acme/hidden']);
    });
  });
}

test('only the line that a server writes says which pull request a commit merges', () => {
  const says = (message: string) =>
    pullCommits([{ head_commit: { id: A, message }, commits: [null, 7] }], 12).length;
  for (const message of [
    'Merge pull request #12 from acme/x',
    'Open (#12)',
    "Merge branch 'x' into 'main'\n\nOpen\n\nSee merge request acme/shop!12",
    'Merged in x (pull request #12)',
  ]) {
    assert.equal(says(message), 1, message);
  }
  for (const message of ['Fix #12', 'Open (#123)', 'Open (#12) again', 'x\n\nOpen (#12)', 'a!12']) {
    assert.equal(says(message), 0, message);
  }
});
