import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { git } from '../../demo/git.ts';
import { proposeSpec, specNameOf } from '../../src/commands/propose-spec.ts';
import { parseSpecs } from '../../src/spec/parse.ts';
import { runCommand } from './run-command.ts';

describe('in a checkout', () => {
  let root = '';
  const directory = () => join(root, 'src');
  const spec = () => join(directory(), 'deployments/my-site.yaml');
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'mainsheet-init-'));
    const run = (...args: string[]) => git({ directory: root, args });
    await run('init', '--quiet', '--initial-branch=trunk');
    await run('remote', 'add', 'origin', 'git@github.com:Acme/My_Site.git');
    const files = {
      'package.json': '{"scripts":{"build":"true"}}',
      'package-lock.json': '{}',
      '.gitignore': 'deploy.sh\n',
      'deploy.sh': 'true',
      'k8s/kustomization.yaml': '',
      'src/index.js': '',
    };
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    }
    await run('add', '.');
    await run('commit', '--quiet', '--message=First');
  });
  after(() => rm(root, { recursive: true, force: true }));

  test('a spec of what is there is written where one stands, is valid, and a push of HEAD would deploy it', async () => {
    const made = await runCommand(['init'], { directory: directory() });
    assert.equal(made.code, 0, made.stderr);
    assert.match(made.stdout, /wrote deployments\/my-site\.yaml, a valid spec/);
    assert.match(made.stderr, /mainsheet explain --from HEAD/);
    const text = await readFile(spec(), 'utf8');
    assert.match(text, /^repository: Acme\/My_Site$/m);
    assert.match(text, /^ {4}branches: \[trunk\]$/m);
    assert.match(text, /^ {4}run: npm ci$/m);
    assert.match(text, /^ {4}run: npm run build$/m);
    assert.match(text, /^ {2}# {3}run: kubectl apply -k k8s$/m);
    assert.doesNotMatch(text, /deploy\.sh/, 'git ignores it');

    const explained = await runCommand(
      ['explain', '--from', 'HEAD', '--deployments', join(directory(), 'deployments')],
      { directory: directory() },
    );
    assert.equal(explained.code, 0, explained.stderr);
    assert.match(explained.stdout, /^Would deploy my-site\n/);
    assert.match(explained.stderr, /note: HEAD is not at origin yet/);
  });

  test('a file that is there is written over with --force only', async () => {
    await mkdir(dirname(spec()), { recursive: true });
    await writeFile(spec(), '# mine\n');
    const kept = await runCommand(['init'], { directory: directory() });
    assert.equal(kept.code, 1);
    assert.match(kept.stderr, /is there already[\s\S]*--force/);
    assert.equal(await readFile(spec(), 'utf8'), '# mine\n');
    assert.equal((await runCommand(['init', '--force'], { directory: directory() })).code, 0);
    assert.match(await readFile(spec(), 'utf8'), /^name: my-site$/m);
  });

  test('without a remote, and outside of a checkout, it says what to do', async () => {
    await git({ directory: root, args: ['remote', 'rename', 'origin', 'other'] });
    const alone = await runCommand(['init'], { directory: directory() });
    assert.equal(alone.code, 3);
    assert.match(alone.stderr, /no remote origin[\s\S]*git remote add origin/);
    const outside = await runCommand(['init'], { directory: tmpdir() });
    assert.equal(outside.code, 3);
    assert.match(outside.stderr, /not in a checkout/);
  });
});

describe('a proposal', () => {
  const propose = (files: Record<string, string>, branch = 'main') =>
    proposeSpec({
      repository: 'acme/site',
      branch,
      files: Object.keys(files),
      read: (path) => files[path] ?? '',
    });
  const valid = (text: string) => {
    const { specs, problems } = parseSpecs('proposal.yaml', text);
    assert.deepEqual(problems, []);
    return specs[0]?.spec;
  };

  test('is valid for whatever is in the repository, its comments switched on too', () => {
    for (const files of [
      {},
      { 'package.json': 'no JSON' },
      { 'package.json': '{"scripts":{"deploy":"x"}}', 'pnpm-lock.yaml': '' },
      { 'go.mod': '', Dockerfile: '', 'deploy/app.yml': '', 'infra/main.tf': '' },
      { Makefile: 'deploy: build\n', 'main.tf': '' },
      { 'deploy.sh': '', 'Cargo.toml': '' },
    ]) {
      const text = propose(files);
      const before = valid(text)?.steps.length ?? 0;
      const on =
        valid(text.replaceAll(/^( {2})# (- name: | {2}(?:run|terraform): )/gm, '$1$2'))?.steps
          .length ?? 0;
      assert.ok(before > 0 && on >= before, text);
    }
  });

  test('names a branch so that YAML and the filter take it literally', () => {
    for (const branch of ['release/1.0+fix', '!odd', 'null', 'a"b', "it's", 'a#b']) {
      const text = propose({}, branch);
      const [pattern = ''] = valid(text)?.on.push?.branches ?? [];
      assert.equal(pattern.replaceAll('\\', ''), branch);
    }
  });

  test('turns any repository into the name of a spec', () => {
    assert.equal(specNameOf('acme/My.Site_2'), 'my-site-2');
    assert.equal(specNameOf('acme/___'), 'site');
  });
});
