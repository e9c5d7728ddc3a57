import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { SpecCheckCallback } from '../../../src/callbacks/spec-check.ts';
import { createTellSpecs } from '../../../src/controller/maintenance/spec-check.ts';
import type { SpecProblem } from '../../../src/spec/problem.ts';
import { bothEngines } from '../../support/engines.ts';

const REPOSITORY = 'acme/deploys';
const sha = (digit: string) => digit.repeat(40);

function problems(count: number): SpecProblem[] {
  return Array.from({ length: count }, (_, index) => ({
    file: 'shop.yaml',
    line: index + 1,
    column: 3,
    message: `there is no "stpes" for @everyone`,
    hint: 'did you mean "steps"?',
  }));
}

for (const [engine, open] of bothEngines()) {
  async function setUp(t: TestContext, feedback: 'app' | 'token' = 'app') {
    const store = await open(t);
    const clock = { now: () => 1000, elapsed: () => 1000, sleep: async () => undefined };
    const create = () =>
      createTellSpecs({
        store,
        repository: REPOSITORY,
        path: 'prod/specs',
        feedback,
        clock,
      });
    return {
      store,
      create,
      async said() {
        const { items } = await store.outbox.list({ limit: 50, before: undefined }, {});
        return items.map(({ callback }) => callback as SpecCheckCallback);
      },
    };
  }

  test(`a commit that breaks specs is told with file, line and column, the one that mends them too, each once (${engine})`, async (t) => {
    const { create, said } = await setUp(t);
    await create()(sha('1'), []);
    assert.deepEqual(await said(), [], 'where nothing was broken nothing is mended');

    for (const tell of [create(), create()]) await tell(sha('2'), problems(1));
    const [broken, ...more] = await said();
    assert.deepEqual(more, []);
    assert.partialDeepStrictEqual(broken, {
      repository: REPOSITORY,
      sha: sha('2'),
      conclusion: 'failure',
      title: '1 problem in deployment specs',
      annotations: [
        {
          path: 'prod/specs/shop.yaml',
          start_line: 1,
          end_line: 1,
          start_column: 3,
          annotation_level: 'failure',
          message: 'there is no "stpes" for @everyone — did you mean "steps"?',
        },
      ],
    });
    assert.match(broken?.text ?? '', /^- `prod\/specs\/shop.yaml:1:3` `there is no/m);
    assert.doesNotMatch(broken?.text ?? '', /@everyone/, 'a mention');

    // Another process, after a restart.
    for (const tell of [create(), create()]) await tell(sha('3'), []);
    const [mended] = await said();
    assert.deepEqual([mended?.sha, mended?.conclusion], [sha('3'), 'success']);
    await create()(sha('4'), []);
    assert.equal((await said()).length, 2);
  });

  test(`of many problems fifty stand beside their lines, and the rest are counted (${engine})`, async (t) => {
    const { create, said } = await setUp(t);
    await create()(sha('1'), [
      { file: '.', line: 1, column: 1, message: 'no spec is left of 3' },
      ...problems(70),
    ]);
    const [told] = await said();
    assert.equal(told?.annotations.length, 50);
    assert.equal(told?.annotations[0]?.path, 'prod/specs/shop.yaml');
    assert.equal(told?.title, '71 problems in deployment specs');
    assert.match(told?.text ?? '', /^- … and 51 more$/m);
  });

  test(`what was sent of earlier commits does not heap up, and a token tells nothing (${engine})`, async (t) => {
    const { create, said, store } = await setUp(t);
    for (const digit of ['1', '2', '3']) {
      await create()(sha(digit), problems(1));
      const { items } = await store.outbox.list({ limit: 50, before: undefined }, {});
      await store.outbox.finish(items[0]?.id ?? 0, 'sent', 1000);
    }
    assert.equal((await said()).length, 1);
    const token = await setUp(t, 'token');
    await token.create()(sha('1'), problems(1));
    assert.deepEqual(await token.said(), []);
  });
}
