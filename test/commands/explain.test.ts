import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pushPayload } from './payloads.ts';
import { runCommand } from './run-command.ts';
import { SPEC } from './server.ts';

let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainsheet-explain-'));
  await writeFile(join(directory, 'storefront.yaml'), SPEC);
  await writeFile(
    join(directory, 'paths.yaml'),
    SPEC.replace('name: storefront', 'name: docs').replace(
      '[main] }',
      "[main], paths: ['docs/**'] }",
    ),
  );
});
after(() => rm(directory, { recursive: true, force: true }));

const explain = (event: string, payload: unknown, ...more: string[]) =>
  runCommand(['explain', '--event', event, '--payload', '-', '--deployments', directory, ...more], {
    stdin: JSON.stringify(payload),
  });

test('what a spec leaves to the default is said only when it is asked for', async () => {
  const { stdout } = await explain('push', pushPayload());
  assert.doesNotMatch(stdout, /→ (?:feedback|comments|after-rollback)/);
  const { stdout: whole } = await explain('push', pushPayload(), '--all');
  assert.match(whole, /^ {2}→ feedback: GitHub shows a commit status, a Deployment$/m);
  assert.match(whole, /^ {2}→ comments: takes no commands in comments$/m);
  assert.match(whole, /^ {2}→ after-rollback: a rollback pauses the lane \S+$/m);
});

test('an event is explained without a server: every spec, every condition', async () => {
  const { code, stdout, stderr } = await explain('push', pushPayload());
  assert.equal(code, 0);
  assert.equal(stderr, '');
  assert.match(stdout, /^Would deploy storefront\n/);
  assert.match(stdout, /^✓ storefront: deploys$/m);
  assert.match(stdout, /^ {2}✓ on\.push\.branches +main/m);
  assert.match(stdout, /^✗ docs: does not deploy$/m);
  assert.match(stdout, /^ {2}✗ on\.push\.paths /m);
  assert.match(
    stdout,
    /^ {4}0 of \d+ changed files count for on\.push\.paths\n {6}✗ \S+ +\(no pattern\)$/m,
  );
});

test('a payload that does not list all files is said to be one, because git would know more', async () => {
  const { code, stderr } = await explain('push', { ...pushPayload(), forced: true });
  assert.equal(code, 0);
  assert.match(stderr, /^note: this payload does not list all changed files \(a forced push/);
  const other = await explain('push', { ...pushPayload({ branch: 'other' }), forced: true });
  assert.equal(other.stderr, '', 'nothing depends on the files where the branch does not match');
});

test('with --exit-code what would not deploy has exit code 1', async () => {
  assert.equal((await explain('push', pushPayload(), '--exit-code')).code, 0);
  const other = await explain('push', pushPayload({ branch: 'other' }), '--exit-code');
  assert.equal(other.code, 1);
  assert.match(other.stdout, /^Would not deploy/);
  assert.equal((await explain('ping', {}, '--exit-code')).code, 1);
});

test('events that never deploy say why', async () => {
  assert.match((await explain('ping', { zen: 'x' })).stdout, /a ping only says hello/);
  assert.match(
    (await explain('issues', {})).stdout,
    /^Would not deploy: Mainsheet deploys on push/,
  );
  assert.match((await explain('push', {})).stdout, /the push payload cannot be read/);
});

test('a repository that no spec names is said, with those that are named', async () => {
  const payload = { ...pushPayload(), repository: { full_name: 'acme/other' } };
  assert.match(
    (await explain('push', payload)).stdout,
    /no deployment spec names acme\/other; they name acme\/storefront/,
  );
});

test('--json gives the verdicts', async () => {
  const { stdout } = await explain('push', pushPayload({ branch: 'next' }), '--json');
  const { event, summary, specs } = JSON.parse(stdout);
  assert.deepEqual({ event, summary }, { event: 'push', summary: 'Would not deploy' });
  assert.equal(specs.length, 2);
  assert.equal(specs[1].spec, 'storefront');
  assert.equal(specs[1].matched, false);
  assert.ok(specs[1].reasons.some((reason: { held: boolean }) => !reason.held));
});

test('a branch name cannot steer the terminal', async () => {
  const { code, stdout } = await runCommand(
    ['explain', '--event', 'push', '--payload', '-', '--deployments', directory],
    { stdin: JSON.stringify(pushPayload({ branch: 'a\u001b[2J\u009b2Jb' })), columns: 80 },
  );
  assert.equal(code, 0);
  assert.doesNotMatch(stdout.replaceAll(/\u001b\[\d+m/g, ''), /[\u001b\u009b]/);
});

test('specs with problems explain nothing: the problems are listed, exit code 1', async () => {
  const broken = await mkdtemp(join(directory, '.broken-'));
  await writeFile(join(broken, 'a.yaml'), 'name: Ä');
  const argv = ['explain', '--event', 'push', '--payload', '-', '--deployments', broken];
  const { code, stdout } = await runCommand(argv, { stdin: '{}' });
  assert.equal(code, 1);
  assert.match(stdout, /a\.yaml:1:/);
});

test('a payload that is no JSON object is refused with a hint', async () => {
  const argv = ['explain', '--event', 'push', '--payload', '-', '--deployments', directory];
  for (const stdin of ['', 'not json', '[]', 'null']) {
    const { code, stderr } = await runCommand(argv, { stdin });
    assert.equal(code, 3, stdin);
    assert.match(stderr, /standard input is not (?:JSON|a JSON object)/);
    assert.match(stderr, /hint: a payload is the event's JSON object/);
  }
  const missing = [...argv];
  missing[4] = join(directory, 'nowhere.json');
  assert.match((await runCommand(missing)).stderr, /cannot read the payload from .*nowhere\.json/);
});
