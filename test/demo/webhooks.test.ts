import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { verify } from '@octokit/webhooks-methods';
import type { PushEvent } from '@octokit/webhooks-types';
import { createForge, type Forge } from '../../demo/forge.ts';
import { isJsonObject, type JsonObject } from '../../demo/json.ts';
import { createRequestValidator } from '../../demo/openapi.ts';
import { createSample, type Sample } from '../../demo/sample.ts';
import { deafUrl } from '../support/deaf.ts';
import { createReceiver } from './receiver.ts';

const REPOSITORY = 'acme/storefront';
const SECRET = 'a webhook secret';
const ZERO = '0'.repeat(40);

describe('forge: webhooks', () => {
  let forge: Forge;
  let sample: Sample;
  let receiver: Awaited<ReturnType<typeof createReceiver>>;

  before(async () => {
    forge = await createForge({ repositories: [REPOSITORY], app: true, commitCap: 3 });
    sample = await createSample(forge, REPOSITORY, { 'index.html': 'v1', 'old.txt': 'old' });
    receiver = await createReceiver();
    forge.hook({ url: receiver.url, secret: SECRET });
  });
  beforeEach(() => {
    receiver.received.length = 0;
  });
  after(async () => {
    await sample.close();
    await receiver.close();
    await forge.close();
  });

  /** The payload that was delivered for a ref's move to `after`. */
  async function pushed(ref: string, after: string): Promise<PushEvent> {
    const isIt = (body: string) => body.includes(`"ref":"${ref}"`) && body.includes(after);
    const { body } = await forge.waitForDelivery((each) => isIt(each.body), 10_000);
    const payload: PushEvent = JSON.parse(body);
    return payload;
  }

  it('tells over the API what was delivered and what was not, in the shapes of GitHub’s description', async () => {
    const validator = createRequestValidator();
    forge.hook({ url: await deafUrl(), secret: SECRET });
    const { id } = await forge.deliver('push', { repository: { id: 1, full_name: REPOSITORY } });
    forge.hook({ url: receiver.url, secret: SECRET });
    await forge.redeliver(id);

    const read = async (path: string) => {
      const response = await fetch(forge.url + path, {
        headers: { authorization: `Bearer ${forge.token}` },
      });
      const body: unknown = await response.json();
      assert.deepEqual(validator.checkAnswer('GET', path, response.status, body), []);
      return { body, link: response.headers.get('link') };
    };
    const hooks = `/repos/${REPOSITORY}/hooks`;
    await read(hooks);
    const attempts: JsonObject[] = [];
    for (let path = `${hooks}/4711/deliveries?per_page=1`; path !== '';) {
      const { body, link } = await read(path);
      assert.ok(Array.isArray(body) && body.length === 1);
      attempts.push(...body.filter(isJsonObject).filter(({ guid }) => guid === id));
      path = /<[^>]*(\/repos[^>]+)>/.exec(link ?? '')?.[1] ?? '';
    }
    assert.deepEqual(
      attempts.map((one) => [one['status_code'], one['redelivery']]),
      [
        [202, true],
        [502, false],
      ],
    );
    await read(`${hooks}/4711/deliveries/${Number(attempts[0]?.['id'])}`);
  });

  it('sends a real push, signed, with GitHub’s headers and what git knows of it', async () => {
    const parent = await sample.git('rev-parse', 'HEAD');
    const sha = await sample.commit({
      message: 'Change all\n\nwith `backticks` and "quotes"',
      files: { 'index.html': 'v2', 'old.txt': null, 'a dir/ü.txt': 'new' },
    });
    await sample.push('main');
    const payload = await pushed('refs/heads/main', sha);

    const [request] = receiver.received;
    assert.ok(request);
    const signature = String(request.headers['x-hub-signature-256']);
    assert.equal(await verify(SECRET, request.body, signature), true);
    assert.equal(request.headers['x-github-event'], 'push');
    assert.match(String(request.headers['x-github-delivery']), /^[0-9a-f-]{36}$/);
    assert.equal(request.headers['x-github-hook-installation-target-type'], 'integration');
    assert.equal(request.headers['x-github-hook-installation-target-id'], forge.appId);
    assert.match(String(request.headers['user-agent']), /^GitHub-Hookshot\//);

    assert.equal(payload.before, parent);
    assert.equal(payload.after, sha);
    assert.deepEqual([payload.created, payload.deleted, payload.forced], [false, false, false]);
    assert.equal(payload.commits.length, 1);
    assert.deepEqual(payload.commits[0], payload.head_commit);
    assert.equal(payload.head_commit?.message, 'Change all\n\nwith `backticks` and "quotes"');
    assert.deepEqual(payload.head_commit?.added, ['a dir/ü.txt']);
    assert.deepEqual(payload.head_commit?.removed, ['old.txt']);
    assert.deepEqual(payload.head_commit?.modified, ['index.html']);
    assert.equal(payload.repository.full_name, REPOSITORY);
    assert.equal(payload.repository.clone_url, `${forge.url}/${REPOSITORY}.git`);
    assert.equal(payload.repository.default_branch, 'main');
    assert.equal(payload.installation?.id, 7000);
    assert.equal(payload.pusher.name, 'demo');
    const delivery = forge.deliveries.at(-1);
    assert.equal(delivery?.status, 202);
    assert.equal(delivery?.answer, '{"duplicate":false}');
  });

  it('lists the new commits of a new branch, and none for one that is only another name', async () => {
    const tip = await sample.git('rev-parse', 'main');
    const sha = await sample.commit({ message: 'On a branch', branch: 'feature/one' });
    await sample.push(['feature/one', 'main:refs/heads/alias']);
    const branch = await pushed('refs/heads/feature/one', sha);
    assert.deepEqual([branch.created, branch.before], [true, ZERO]);
    assert.deepEqual(
      branch.commits.map((commit) => commit.id),
      [sha],
    );
    const alias = await pushed('refs/heads/alias', tip);
    assert.deepEqual(alias.commits, []);
    assert.equal(alias.head_commit?.id, tip);
    assert.equal(alias.base_ref, 'refs/heads/main');
  });

  it('says that a branch was deleted', async () => {
    await sample.push('main:refs/heads/short-lived');
    await sample.push(':refs/heads/short-lived');
    const payload = await pushed('refs/heads/short-lived', `"after":"${ZERO}"`);
    assert.deepEqual([payload.deleted, payload.created, payload.after], [true, false, ZERO]);
    assert.deepEqual([payload.head_commit, payload.commits], [null, []]);
  });

  it('says that a push was forced', async () => {
    const dropped = await sample.commit({ message: 'Dropped', branch: 'rewritten' });
    await sample.push('rewritten');
    await sample.git('reset', '--quiet', '--hard', 'HEAD~1');
    const sha = await sample.commit({ message: 'Kept', files: { 'b.txt': 'b' } });
    await sample.push('rewritten', { force: true });
    const payload = await pushed('refs/heads/rewritten', `"after":"${sha}"`);
    assert.deepEqual([payload.before, payload.after, payload.forced], [dropped, sha, true]);
    assert.deepEqual(payload.commits[0]?.added, ['b.txt']);
  });

  it('points at the tag object of an annotated tag, and at the commit of its head', async () => {
    const commit = await sample.git('rev-parse', 'HEAD');
    const annotated = await sample.tag('v1', { annotated: true });
    const light = await sample.tag('v1-light');
    await sample.push(['v1', 'v1-light']);
    const payload = await pushed('refs/tags/v1', annotated);
    assert.notEqual(annotated, commit);
    assert.deepEqual([payload.after, payload.head_commit?.id], [annotated, commit]);
    assert.deepEqual(payload.commits, []);
    assert.equal((await pushed('refs/tags/v1-light', light)).after, commit);
  });

  it('sends nothing for tags when more than three are pushed at once', async () => {
    const tags = ['t1', 't2', 't3', 't4'];
    for (const tag of tags) await sample.tag(tag);
    const sha = await sample.commit({ message: 'With tags', branch: 'main' });
    await sample.push([...tags, 'main']);
    await sample.push('main:refs/heads/after-tags');
    await pushed('refs/heads/main', sha);
    await pushed('refs/heads/after-tags', sha);
    assert.equal(
      forge.deliveries.some(({ body }) => body.includes('refs/tags/t1')),
      false,
    );
  });

  it('lists no more commits than its cap, the newest', async () => {
    const shas: string[] = [];
    for (let index = 0; index < 5; index += 1) {
      shas.push(await sample.commit({ message: `Commit ${index}`, branch: 'main' }));
    }
    await sample.push('main');
    const payload = await pushed('refs/heads/main', `"after":"${shas[4]}"`);
    assert.deepEqual(
      payload.commits.map((commit) => commit.id),
      shas.slice(2),
    );
    assert.equal(payload.head_commit?.id, shas[4]);
  });

  it('sends hostile branch names as they are', async () => {
    const ref = 'refs/heads/--upload-pack=touch${IFS}pwned;$(id)';
    await sample.push(`HEAD:${ref}`);
    const payload = await pushed(ref, '"created":true');
    assert.equal(payload.ref, ref);
  });

  it('sends crafted deliveries: form-encoded, unsigned, with another secret, not JSON', async () => {
    const release = forge.release(REPOSITORY, 'v1', { prerelease: true });
    await forge.deliver('release', release, { contentType: 'form' });
    await forge.deliver('release', release, { secret: null, headers: { 'x-extra': 'yes' } });
    await forge.deliver('push', '{"not json', { secret: 'another', id: 'fixed-id' });
    const [form, unsigned, broken] = receiver.received;
    assert.ok(form && unsigned && broken);

    const signature = String(form.headers['x-hub-signature-256']);
    assert.equal(await verify(SECRET, form.body, signature), true);
    assert.deepEqual(JSON.parse(new URLSearchParams(form.body).get('payload') ?? ''), release);
    assert.equal(unsigned.headers['x-hub-signature-256'], undefined);
    assert.equal(unsigned.headers['x-extra'], 'yes');
    assert.equal(broken.body, '{"not json');
    assert.equal(broken.headers['x-github-delivery'], 'fixed-id');
    const wrong = String(broken.headers['x-hub-signature-256']);
    assert.equal(await verify(SECRET, broken.body, wrong), false);
  });

  it('delivers again byte for byte, under the same id', async () => {
    const run = forge.workflowRun(REPOSITORY, { sha: 'a'.repeat(40), headRepository: 'fork/it' });
    const first = await forge.deliver('workflow_run', run);
    const second = await forge.redeliver(first.id);
    assert.equal(second.id, first.id);
    const [before, again] = receiver.received;
    assert.deepEqual(again?.body, before?.body);
    assert.equal(again?.headers['x-hub-signature-256'], before?.headers['x-hub-signature-256']);
    assert.match(first.body, /"full_name":"fork\/it"/);
  });

  it('records a delivery that was not taken with status 0', async () => {
    const closed = await createReceiver();
    await closed.close();
    forge.hook({ url: closed.url, secret: SECRET });
    const delivery = await forge.deliver('ping', { zen: 'Design for failure.' });
    assert.equal(delivery.status, 0);
    assert.match(delivery.answer, /ECONNREFUSED/);
    forge.hook({ url: receiver.url, secret: SECRET });
    assert.equal((await forge.redeliver(delivery.id)).status, 202);
  });
});
