import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createResolve } from '../../../src/controller/intake/resolve.ts';
import { TerminalError } from '../../../src/lib/errors.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import type { HeadEvent, Standing, WorkflowRunEvent } from '../../../src/model/event.ts';
import type { ToldPush } from '../../../src/model/push-history.ts';
import { toEvent } from '../../../src/sources/events.ts';
import { matchSpec } from '../../../src/spec/match.ts';
import { parseSpecs } from '../../../src/spec/load.ts';

const REPOSITORY = 'acme/shop';
const [A, B, C] = ['a', 'b', 'c'].map((digit) => digit.repeat(40)) as [string, string, string];
const SIGNAL = new AbortController().signal;
const repository = { full_name: REPOSITORY, name: 'shop', owner: { login: 'acme' } };

const SPECS = parseSpecs(
  'all.yaml',
  `
name: all
repository: ${REPOSITORY}
on:
  push: { branches: [main], tags: ["v*"] }
  release: { types: [published] }
  workflow_run: { workflows: [CI] }
steps: [{ run: "true" }]
`,
).specs;

const push = (ref: string, before: string, after: string) => ({
  ref,
  before,
  after,
  created: false,
  deleted: false,
  forced: false,
  commits: [],
  head_commit: { id: after },
  repository,
});

const ROLLED = parseSpecs(
  'back.yaml',
  `
name: back
repository: ${REPOSITORY}
on: { hook: { id: alert, do: rollback } }
steps: [{ run: "true" }]
`,
).specs;

/** git shows `standing`, no tag, and `headIs`; these pushes were told before. */
function createAsk(git: {
  standing?: Standing | TerminalError;
  headIs?: WorkflowRunEvent['headIs'];
  told?: Partial<ToldPush>[];
  /** Tags that were asked for. */
  asked?: string[];
}) {
  const resolve = createResolve({
    mirrors: {
      findRevision: () => Promise.reject(new Error('not asked')),
      async standing() {
        if (git.standing instanceof TerminalError) throw git.standing;
        return git.standing ?? { head: undefined, reached: false };
      },
      async resolveTag(_repository, tag) {
        git.asked?.push(tag);
        throw new TerminalError('tag-missing', 'there is no such tag');
      },
      kindOfHead: async () => git.headIs ?? 'neither',
      changedPaths: async () => [],
    },
    pushes: {
      history: async () => ({
        seen: undefined,
        pushes: (git.told ?? []).map((one) => ({
          seq: 1,
          before: B,
          after: A,
          delivery: 'd',
          found: false,
          toldBy: undefined,
          seenAt: 1,
          ...one,
        })),
      }),
    },
    logger: silentLogger,
  });
  const ask = async (name: string, payload: object, patient: boolean) =>
    await resolve(toEvent(name, payload as never), payload as never, SPECS, SIGNAL, patient);
  return Object.assign(ask, { resolve });
}

const MAIN = push('refs/heads/main', A, B);
const standings: [string, Parameters<typeof createAsk>[0], boolean][] = [
  ['the branch is where it was before', { standing: { head: A, reached: false } }, true],
  ['the branch is not there', { standing: { head: undefined, reached: false } }, true],
  ['the branch is elsewhere', { standing: { head: C, reached: false } }, true],
  [
    'the branch is where it was before, which has the commit that it was forced back to',
    { standing: { head: A, reached: true } },
    true,
  ],
  ['git shows the branch, but not its commit', { standing: missing() }, true],
  ['the branch is at the commit', { standing: { head: B, reached: true } }, false],
  ['the branch has the commit', { standing: { head: C, reached: true } }, false],
  [
    'a later push is known to have left the commit',
    { standing: { head: C, reached: false }, told: [{ before: B, after: C }] },
    false,
  ],
  [
    'a look had found the push',
    { standing: { head: C, reached: false }, told: [{ before: A, after: B, found: true }] },
    false,
  ],
];
for (const [name, git, waits] of standings) {
  test(`a fresh push is ${waits ? '' : 'not '}waited for when ${name}`, async () => {
    const answer = createAsk(git)('push', MAIN, true);
    if (waits) await assert.rejects(answer, { code: 'not-there-yet' });
    else await answer;
  });
}

test('an old push is judged by what git shows', async () => {
  const event = await createAsk({ standing: { head: C, reached: false } })('push', MAIN, false);
  assert.ok(event.kind === 'push');
  assert.deepEqual(event.standing, { head: C, reached: false });
});

test('where git refuses to say, nothing is waited for and nothing is proven', async () => {
  const refused = new TerminalError('git-forbidden', 'the server refused access');
  const event = await createAsk({ standing: refused })('push', MAIN, true);
  assert.ok(event.kind === 'push');
  assert.equal(event.standing?.reached, undefined);
});

test('the tag of a fresh push or release is waited for, an old one is missing', async () => {
  const ask = createAsk({});
  const release = { action: 'published', release: { tag_name: 'v1' }, repository };
  await assert.rejects(ask('release', release, true), { code: 'not-there-yet' });
  await assert.rejects(ask('release', release, false), { code: 'tag-missing' });
  const tag = push('refs/tags/v1', A, B);
  await assert.rejects(ask('push', tag, true), { code: 'not-there-yet' });
  await assert.rejects(ask('push', tag, false), { code: 'tag-missing', ref: 'refs/tags/v1' });
});

test('a workflow run whose commit no branch has is waited for, and deploys nothing in the end', async () => {
  for (const head_branch of ['main', null]) {
    const payload = {
      action: 'completed',
      workflow: { name: 'CI' },
      workflow_run: {
        name: 'CI',
        conclusion: 'success',
        head_branch,
        head_sha: B,
        event: 'push',
        head_repository: repository,
      },
      repository,
    };
    await assert.rejects(createAsk({})('workflow_run', payload, true), { code: 'not-there-yet' });
    const refused = await createAsk({})('workflow_run', payload, false);
    const here = await createAsk({ headIs: 'branch' })('workflow_run', payload, true);
    const verdicts = [refused, here].map((event) =>
      SPECS.map(({ spec }) => matchSpec(spec, event, payload).matched),
    );
    assert.deepEqual(verdicts, [[false], [true]], String(head_branch));
  }
});

function missing(): TerminalError {
  return new TerminalError('commit-missing', 'the server does not have this commit');
}

test('a tag that is called like a whole ref is not taken for the ref', async () => {
  const asked: string[] = [];
  const release = { tag_name: 'refs/tags/v1', draft: false, prerelease: false };
  const answer = createAsk({ asked })(
    'release',
    { action: 'published', release, repository },
    true,
  );
  await assert.rejects(answer, { code: 'not-there-yet' });
  assert.deepEqual(asked, ['refs/tags/refs/tags/v1']);
});

test('of a tag on another server than GitHub git is asked which commit it leads to, whatever the payload says', async () => {
  const asked: string[] = [];
  const tag = push('refs/tags/v1', A, B);
  await assert.rejects(createAsk({ asked })('push@work', tag, true), { code: 'not-there-yet' });
  assert.deepEqual(asked, ['refs/tags/v1']);
});

test('git is not asked for a rollback, which is of what was deployed before', async () => {
  const verdict = { matched: true, reasons: [] };
  const event = { kind: 'hook', hook: 'alert', repository: undefined, verdict } as const;
  const payload = { hook: 'alert', type: null, inputs: {}, body: {} };
  const { resolve } = createAsk({});
  const { revisions } = (await resolve(event, payload, ROLLED, SIGNAL, false)) as HeadEvent;
  assert.deepEqual([...(revisions ?? [])], []);
});
