import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { listSpecFiles } from '../../src/spec/files.ts';
import { loadListing, parseSpecs } from '../../src/spec/load.ts';
import { formatProblem } from '../../src/spec/problem.ts';
import type { GitServer } from '../../src/lib/servers.ts';

const problemsOf = (text: string) => parseSpecs('x.yaml', text).problems.map(formatProblem);
const SPEC = `name: shop\nrepository: work:acme/shop\nsteps: [{ run: 'true' }]\n`;

test('a spec of another server tells commit statuses alone, and asks for nothing that only GitHub has', () => {
  const { specs } = parseSpecs('x.yaml', `${SPEC}on: push`);
  assert.deepEqual(specs[0]?.spec.feedback, ['status']);
  for (const [line, place] of [
    ['on: { workflow_run: { workflows: [CI] } }', /x.yaml:4:\d+: workflow runs only GitHub has/],
    ['on: push\nfeedback: [status, check]', /x.yaml:5:\d+: "check" only GitHub has/],
    ['on: push\ncomments: true', /x.yaml:5:\d+: commands in comments/],
    ['on: push\nplan: true', /x.yaml:5:\d+: plans of pull requests/],
    ['on: push\ngates: [{ approve: { not-author: true } }]', /x.yaml:5:\d+: authors with a log-in/],
    ['on: push\ngates: [{ approve: { from: [team:a/b] } }]', /x.yaml:5:\d+: teams only/],
  ] as const) {
    const [problem = '', ...others] = problemsOf(SPEC + line);
    assert.match(problem, place);
    assert.match(problem, /work:acme\/shop is on work/);
    assert.deepEqual(others, []);
  }
});

test('the hook of a server is for pushes and releases, of one of the three', () => {
  const hook = 'kind: hook\nid: a\nserver: work\nsecrets: T\n';
  const { hooks } = parseSpecs('x.yaml', `${hook}sender: gitea`);
  assert.equal(hooks[0]?.hook.server, 'work');
  assert.match(
    problemsOf(`${hook}sender: stripe`).join(),
    /its sender is one of gitlab, bitbucket/,
  );
  assert.match(
    problemsOf('kind: hook\nid: a\nserver: a b\nsender: gitea\nsecrets: T').join(),
    /x.yaml:3/,
  );
  assert.match(problemsOf('kind: hook\nid: a\nserver: a\nsender: gitea').join(), /needs secrets/);
  for (const line of [
    'if: "true"',
    'dedupe: body.id',
    'respond: { wait: 5s }',
    'extract: { a: $.a }',
  ]) {
    const key = line.split(':')[0];
    assert.match(
      problemsOf(`${hook}sender: gitea\n${line}`).join(),
      new RegExp(`${key}: the hook of a server`),
    );
  }
});

test('specs and hooks of a server that is not set, or is of another type, are problems that say so', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-servers-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const hook = 'kind: hook\nid: pushes\nsecrets: T\nsender: gitlab\nserver: work\n';
  await writeFile(join(directory, 'a.yaml'), `${SPEC}on: { hook: { id: pushes } }\n---\n${hook}`);
  const load = async (servers: GitServer[] | undefined) => {
    const known = servers && new Map(servers.map((server) => [server.name, server]));
    const { problems, warnings } = await loadListing(await listSpecFiles(directory), {
      servers: known,
    });
    return [...problems, ...warnings].map(({ message, hint }) => `${message} — ${hint}`);
  };
  const never =
    'shop is never started by the hook pushes, which is of the server work — write on: push, or on: release';
  const server = { name: 'work', url: 'https://git.example', token: undefined };
  assert.deepEqual(await load(undefined), [never]);
  assert.deepEqual(await load([{ ...server, type: 'gitlab' }]), [never]);
  assert.deepEqual(await load([{ ...server, name: 'worx', type: 'gitlab' }]), [
    'work:acme/shop is of the server work, which is not set — did you mean "worx"?',
    'the hook pushes is of the server work, which is not set — did you mean "worx"?',
    never,
  ]);
  assert.deepEqual(await load([{ ...server, type: 'gitea' }]), [
    'the hook pushes has the sender gitlab, and work is gitea — write sender: gitea',
    never,
  ]);
});
