import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'yaml';
import { runCommand } from './run-command.ts';
import { SPEC } from './server.ts';

let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainsheet-validate-'));
});
after(() => rm(directory, { recursive: true, force: true }));

async function specsIn(name: string, files: Record<string, string>): Promise<string> {
  const path = await mkdtemp(join(directory, `${name}-`));
  for (const [file, text] of Object.entries(files)) await writeFile(join(path, file), text);
  return path;
}

test('valid specs are counted', async () => {
  const path = await specsIn('valid', { 'a.yaml': SPEC });
  assert.deepEqual(await runCommand(['validate', path]), {
    code: 0,
    stdout: '✓ 1 valid spec\n',
    stderr: '',
  });
});

test('the default is the directory of the environment', async () => {
  const path = await specsIn('default', { 'a.yaml': SPEC });
  assert.equal((await runCommand(['validate'], { env: { MAINSHEET_DEPLOYMENTS: path } })).code, 0);
});

test('all problems of all files are listed where they are, and the exit code is 1', async () => {
  const path = await specsIn('broken', {
    'a.yaml': SPEC.replace('branches:', 'branchs:'),
    'b.yaml': `${SPEC}timeout: soon\nodd: 1\n`,
  });
  const { code, stdout, stderr } = await runCommand(['validate', path]);
  assert.equal(code, 1);
  const lines = stdout.trimEnd().split('\n');
  assert.equal(lines.length, 3);
  assert.match(
    lines[0] ?? '',
    new RegExp(`^${join(path, 'a.yaml')}:5:\\d+: .*did you mean "branches"`),
  );
  assert.match(lines[1] ?? '', new RegExp(`^${join(path, 'b.yaml')}:8:\\d+: .*duration`));
  assert.match(lines[2] ?? '', new RegExp(`^${join(path, 'b.yaml')}:9:\\d+: `));
  assert.match(stderr, /3 problems/);
});

test('one file can be checked alone', async () => {
  const path = await specsIn('single', { 'a.yaml': SPEC, 'b.yaml': 'name: [' });
  assert.equal((await runCommand(['validate', join(path, 'a.yaml')])).code, 0);
  const { code, stdout } = await runCommand(['validate', join(path, 'b.yaml')]);
  assert.equal(code, 1);
  assert.match(stdout, new RegExp(`^${join(path, 'b.yaml')}:1:`));
});

test('a directory without any spec is not valid', async () => {
  const { code, stderr } = await runCommand(['validate', await specsIn('empty', {})]);
  assert.equal(code, 1);
  assert.match(stderr, /there is no deployment spec in/);
});

test('a path that is not there is an error that says what to give', async () => {
  const { code, stderr } = await runCommand(['validate', join(directory, 'nowhere')]);
  assert.equal(code, 3);
  assert.match(stderr, /there is no .*nowhere\n.*hint: .*mainsheet init/);
});

test('specs that are kept on GitHub are not here', async () => {
  const { code, stderr } = await runCommand(['validate'], {
    env: { MAINSHEET_DEPLOYMENTS: 'github:acme/deployments' },
  });
  assert.equal(code, 3);
  assert.match(stderr, /clone that repository/);
});

test('--json says the same in JSON', async () => {
  const path = await specsIn('json', { 'a.yaml': SPEC, 'b.yaml': `${SPEC}odd: 1\n` });
  const { code, stdout } = await runCommand(['validate', path, '--json']);
  assert.equal(code, 1);
  const { valid, specs, problems } = JSON.parse(stdout);
  assert.equal(valid, false);
  assert.deepEqual(specs, [
    {
      name: 'storefront',
      repository: 'acme/storefront',
      environment: 'production',
      file: join(path, 'a.yaml'),
      line: 2,
    },
  ]);
  assert.equal(problems[0].file, join(path, 'b.yaml'));
  assert.equal(problems[0].line, 8);
});

test('limits are held against what the operator allows, as the server does', async () => {
  const path = await specsIn('limits', { 'a.yaml': `${SPEC}limits: { cpu: 1h }\n` });
  assert.equal((await runCommand(['validate', path])).code, 0);
  const env = { MAINSHEET_STEP_LIMITS: 'cpu=1m' };
  const refused = await runCommand(['validate', path], { env });
  assert.equal(refused.code, 1);
  assert.match(
    refused.stdout,
    /a cpu limit of 1h 00m is more than the 1m 00s of MAINSHEET_STEP_LIMITS/,
  );
  const broken = await runCommand(['validate', path], { env: { MAINSHEET_STEP_LIMITS: 'cpu=x' } });
  assert.match(broken.stderr, /MAINSHEET_STEP_LIMITS has "x" for cpu/);
});

test('of a server that may not be set a line warns, and where servers are told it is a problem', async () => {
  const one = SPEC.replace('acme/storefront', 'work:acme/storefront');
  const two = one.replace('name: storefront', 'name: other');
  const path = await specsIn('servers', { 'a.yaml': one, 'b.yaml': two });
  const unknown = await runCommand(['validate', path]);
  assert.equal(unknown.code, 0);
  assert.match(
    unknown.stderr,
    /^warning: .*a\.yaml:2:1: without MAINSHEET_SERVERS it is not known here whether the server work is set.*\n$/,
  );
  const told = async (name: string) =>
    await runCommand(['validate', path], {
      env: { MAINSHEET_SERVERS: `${name} gitlab https://gitlab.example.com` },
    });
  assert.deepEqual([(await told('work')).code, (await told('work')).stderr], [0, '']);
  assert.match((await told('wok')).stdout, /of the server work, which is not set/);
});

test("a spec's text cannot steer the reader's terminal", async () => {
  const path = await specsIn('hostile', { 'a.yaml': `${SPEC}"\\e[2J\\nodd": 1\n` });
  const { code, stdout } = await runCommand(['validate', path], { columns: 80 });
  assert.equal(code, 1);
  assert.doesNotMatch(stdout, /\u001b/);
  assert.equal(stdout.trimEnd().split('\n').length, 1);
});

test('the schema is a JSON Schema that knows the specs', async () => {
  const { code, stdout } = await runCommand(['schema']);
  assert.equal(code, 0);
  const schema = JSON.parse(stdout);
  assert.match(schema.$schema, /json-schema\.org/);
  assert.ok(schema.properties.steps);
});

test('what is valid and hardly meant is told, and does not count as a problem', async () => {
  const path = await specsIn('warned', { 'a.yaml': SPEC, 'empty.yaml': '' });
  const { code, stdout, stderr } = await runCommand(['validate', path]);
  assert.equal(code, 0);
  assert.equal(stdout, '✓ 1 valid spec\n');
  assert.match(stderr, new RegExp(`^warning: ${join(path, 'empty.yaml')}:1:1: there is no`));
  const { stdout: json } = await runCommand(['validate', '--json', path]);
  const { warnings } = JSON.parse(json) as { warnings: { file: string }[] };
  assert.deepEqual(
    warnings.map(({ file }) => file),
    [join(path, 'empty.yaml')],
  );
});

test('with --format github each problem is an annotation at its line, however its text is written', async () => {
  const path = await specsIn('annotated', {
    'a, b.yaml': SPEC.replace('branches:', '"100%\\n::error::x":'),
  });
  const { code, stdout, stderr } = await runCommand(['validate', path, '--format', 'github']);
  assert.equal(code, 1);
  const [line = '', ...others] = stdout.trimEnd().split('\n');
  assert.deepEqual(others, []);
  assert.match(line, /^::error file=.*a%2C b\.yaml,line=5,col=\d+,title=Deployment spec::/);
  assert.doesNotMatch(line.slice(2), /%\n|%(?!25|0A|0D|3A|2C)/);
  assert.match(stderr, /✗ 1 problem in the deployment specs/);
});

test('the action checks specs by the command that people run', async () => {
  const action = parse(await readFile(new URL('../../action.yml', import.meta.url), 'utf8')) as {
    inputs: { path: { default: string } };
    runs: { steps: { run: string; env?: { SPECS: string } }[] };
  };
  const step = action.runs.steps.at(-1);
  assert.match(step?.run ?? '', /bin\/mainsheet\.js" validate "\$SPECS" --format github$/);
  assert.equal(step?.env?.SPECS, '${{ inputs.path }}', 'an input is never part of a script');
});
