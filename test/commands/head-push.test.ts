import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { PushEvent } from '@octokit/webhooks-types';
import { createForge, type Forge } from '../../demo/forge.ts';
import { createSample, type Sample } from '../../demo/sample.ts';
import { openCheckout, repositoryOf } from '../../src/commands/own-checkout.ts';
import { pushOf } from '../../src/commands/head-push.ts';
import { createReceiver } from '../demo/receiver.ts';
import { runCommand } from './run-command.ts';

const env = { PATH: process.env['PATH'] };

describe('the payload of a push that has not happened', () => {
  let forge: Forge;
  let sample: Sample;
  let receiver: Awaited<ReturnType<typeof createReceiver>>;
  before(async () => {
    forge = await createForge({ repositories: ['acme/storefront'] });
    sample = await createSample(forge, 'acme/storefront', { 'index.html': 'v1', old: 'old' });
    receiver = await createReceiver();
    forge.hook({ url: receiver.url, secret: 'a webhook secret' });
  });
  after(async () => {
    await sample.close();
    await receiver.close();
    await forge.close();
  });

  async function promised(from = 'HEAD') {
    const { signal } = new AbortController();
    return await pushOf(await openCheckout({ directory: sample.directory, env, signal }), from);
  }

  /** What the forge sends when it happens, and the same fields of what was promised. */
  async function compare(branch: string, force = false) {
    const { payload } = await promised();
    await sample.push(branch, { force });
    const sha = await sample.git('rev-parse', 'HEAD');
    const { body } = await forge.waitForDelivery(
      (delivery) => delivery.body.includes(`"after":"${sha}"`),
      10_000,
    );
    const told = [payload as unknown as PushEvent, JSON.parse(body) as PushEvent].map((push) => ({
      ref: push.ref,
      moves: [push.before, push.after, push.created, push.deleted, push.forced, push.base_ref],
      repository: push.repository.full_name,
      commits: [...push.commits, push.head_commit].map((commit) => ({
        id: commit?.id,
        tree: commit?.tree_id,
        message: commit?.message,
        author: [commit?.author.name, commit?.author.email, commit?.committer.name],
        files: [commit?.added, commit?.modified, commit?.removed],
      })),
    }));
    assert.deepEqual(told[0], told[1]);
  }

  test('it is that of the push that then happens: commits, files, a merge', async () => {
    await sample.commit({
      branch: 'topic',
      files: { 'src/ünï "x".js': '1' },
      message: 'One\n\nbody',
    });
    await sample.commit({
      branch: 'main',
      files: { 'index.html': 'v2', old: null },
      message: 'Two',
    });
    await sample.git('merge', '--quiet', '--no-ff', '--no-edit', 'topic');
    await sample.commit({ message: 'Empty' });
    await compare('main');
  });

  test('it is that of a new branch, and of a forced push', async () => {
    await sample.commit({ branch: 'preview', files: { new: '1' }, message: 'New' });
    await compare('preview');
    await sample.git('reset', '--quiet', '--hard', 'HEAD~2');
    await sample.commit({ files: { other: '1' }, message: 'Instead' });
    await compare('preview', true);
  });

  test('of a commit that is at the remote already it is the push of that commit alone', async () => {
    await sample.git('switch', '--quiet', 'main');
    const { payload, isPushed } = await promised();
    assert.equal(isPushed, true);
    const { before: from, commits } = payload as unknown as PushEvent;
    assert.deepEqual([from, commits.length], [await sample.git('rev-parse', 'HEAD~1'), 1]);
  });

  test('an unknown commit and a detached HEAD are refused with what to do', async () => {
    await assert.rejects(promised('--all'), { code: 'revision-unknown' });
    await sample.git('switch', '--quiet', '--detach');
    await assert.rejects(promised(), { code: 'no-branch', hint: /git switch/ });
    await sample.git('switch', '--quiet', 'main');
  });

  test('send delivers it, signed', async () => {
    receiver.received.length = 0;
    const { code, stdout, stderr } = await runCommand(
      ['send', 'push', '--from', 'HEAD', '--url', receiver.url, '--json'],
      { directory: sample.directory, env: { GITHUB_WEBHOOK_SECRET: 'a webhook secret' } },
    );
    // The receiver is not Mainsheet, so its answer is no acceptance.
    assert.equal(code, 1, stdout + stderr);
    const [request] = receiver.received;
    assert.equal(JSON.parse(request?.body ?? '').after, await sample.git('rev-parse', 'HEAD'));
    assert.match(String(request?.headers['x-hub-signature-256']), /^sha256=[0-9a-f]{64}$/);
  });

  test('a payload comes from one place only', async () => {
    for (const args of [
      ['send', 'push'],
      ['send', 'release', '--from', 'HEAD'],
      ['send', 'push', '--from', 'HEAD', '--payload', '-'],
      ['explain', '72d3162e', '--from', 'HEAD'],
    ]) {
      assert.equal(
        (await runCommand(args, { directory: sample.directory })).code,
        2,
        args.join(' '),
      );
    }
  });
});

test('a repository is read from every way to write a remote', () => {
  for (const url of [
    'https://github.com/acme/site.git',
    'https://x:secret@github.example/acme/site',
    'ssh://git@ssh.github.com:443/acme/site.git',
    'git@github.com:acme/site.git',
    'github:acme/site/',
    '/srv/git/acme/site.git',
  ]) {
    assert.equal(repositoryOf(url), 'acme/site', url);
  }
  for (const url of ['site', 'https://github.com/', 'git@github.com:site.git', '../..']) {
    assert.equal(repositoryOf(url), undefined, url);
  }
});
