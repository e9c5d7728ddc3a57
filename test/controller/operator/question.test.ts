import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readQuestion, type Question } from '../../../src/controller/operator/question.ts';
import type { GitServer } from '../../../src/lib/servers.ts';

const SHA = 'abc1234def'.repeat(4);
const RUN = '01k9w2v8q4m6x0c3f7s1d5h9jb';
const server = (name: string, type: GitServer['type'], url: string): GitServer => ({
  name,
  type,
  url,
  token: undefined,
});
const SERVERS = [
  server('work', 'gitlab', 'https://gitlab.acme.example/git'),
  server('bits', 'bitbucket', 'https://bitbucket.org'),
  server('tea', 'gitea', 'https://tea.acme.example'),
];
const at = {
  githubUrl: 'https://github.com',
  servers: new Map(SERVERS.map((one) => [one.name, one])),
};

const commit = (sha: string, repository?: string): Question => ({
  kind: 'commit',
  sha,
  repository,
});
const pull = (number: number, repository?: string): Question => ({
  kind: 'pull',
  number,
  repository,
});
const run: Question = { kind: 'run', run: RUN };

const MEANT: [string, Question][] = [
  [' abc1234 ', commit('abc1234')],
  ['ABC1234', commit('abc1234')],
  ['1234567', commit('1234567')],
  [SHA, commit(SHA)],
  ['acme/shop@ABC1234', commit('abc1234', 'acme/shop')],
  ['work:team/sub/shop@abc1234', commit('abc1234', 'work:team/sub/shop')],
  ['12', pull(12)],
  ['#12', pull(12)],
  ['acme/shop#12', pull(12, 'acme/shop')],
  ['work:team/shop#12', pull(12, 'work:team/shop')],
  [RUN, run],
  [`https://mainsheet.example/below/runs/${RUN}?x#1.2`, run],
  [`https://github.com/acme/shop/commit/${SHA}`, commit(SHA, 'acme/shop')],
  ['https://github.com/acme/shop/commit/abc1234#diff', commit('abc1234', 'acme/shop')],
  ['https://github.com/acme/shop/pull/12', pull(12, 'acme/shop')],
  ['https://github.com/acme/shop/pull/12/files?w=1', pull(12, 'acme/shop')],
  [`https://github.com/acme/shop/pull/12/commits/${SHA}`, commit(SHA, 'acme/shop')],
  ['https://gitlab.acme.example/git/a/b/c/-/merge_requests/7/diffs', pull(7, 'work:a/b/c')],
  [`https://gitlab.acme.example/git/a/b/-/commit/${SHA}`, commit(SHA, 'work:a/b')],
  [`https://bitbucket.org/acme/shop/commits/${SHA}`, commit(SHA, 'bits:acme/shop')],
  ['https://bitbucket.org/acme/shop/pull-requests/3', pull(3, 'bits:acme/shop')],
  ['https://tea.acme.example/acme/shop/pulls/4', pull(4, 'tea:acme/shop')],
];

for (const [text, question] of MEANT) {
  test(`${text} is understood`, () => assert.deepEqual(readQuestion(text, at), question));
}

for (const text of [
  '',
  'why?',
  'acme/shop',
  '#abc',
  'acme#12',
  '../x#12',
  'acme/shop@main',
  `https://evil.example/acme/shop/pull/12`,
  'https://github.com/acme/shop/actions/runs/123456',
  'https://github.com/acme/shop/pull/12x',
  'https://gitlab.acme.example/a/b/-/merge_requests/7',
  'javascript:alert(1)',
  `https://mainsheet.example/runs/${RUN.toUpperCase()}`,
  'a'.repeat(501),
]) {
  test(`${JSON.stringify(text.slice(0, 60))} is nothing that can be asked`, () =>
    assert.equal(readQuestion(text, at), undefined));
}
