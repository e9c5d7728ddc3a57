import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { createAppAuth } from '@octokit/auth-app';
import { Octokit } from '@octokit/rest';
import { createForge, type Forge } from '../../demo/forge.ts';
import { createRequestValidator } from '../../demo/openapi.ts';
import { createSample, type Sample } from '../../demo/sample.ts';

const REPOSITORY = 'acme/storefront';
const HUB = 'acme/hub';

function client(forge: Forge, auth: string | undefined = forge.token): Octokit {
  return new Octokit({ baseUrl: forge.url, auth, log: silentLog });
}

const silentLog = { debug() {}, info() {}, warn() {}, error() {} };

describe('forge: API', () => {
  let forge: Forge;
  let sample: Sample;
  let sha: string;

  before(async () => {
    forge = await createForge({ repositories: [REPOSITORY, HUB], app: true });
    sample = await createSample(forge, REPOSITORY, { 'index.html': '<h1>Shop</h1>' });
    sha = await sample.git('rev-parse', 'HEAD');
  });
  afterEach(() => {
    assert.deepEqual(forge.problems(), [], 'every request fits GitHub’s description');
  });
  after(async () => {
    await sample.close();
    await forge.close();
  });

  it('keeps commit statuses by repository and commit, and combines the latest of each context', async () => {
    const { rest } = client(forge);
    const ref = { owner: 'acme', repo: 'storefront', ref: 'main' };
    const status = { owner: 'acme', repo: 'storefront', sha, context: 'mainsheet/shop' };
    await rest.repos.createCommitStatus({ ...status, state: 'pending', description: 'Queued' });
    await rest.repos.createCommitStatus({
      ...status,
      state: 'success',
      target_url: 'http://x.test',
    });

    const statuses = await forge.statuses(REPOSITORY, sha);
    assert.deepEqual(
      statuses.map(({ state, context, description }) => ({ state, context, description })),
      [
        { state: 'success', context: 'mainsheet/shop', description: null },
        { state: 'pending', context: 'mainsheet/shop', description: 'Queued' },
      ],
    );
    const combined = await rest.repos.getCombinedStatusForRef(ref);
    assert.equal(combined.data.state, 'success');
    assert.equal(combined.data.total_count, 1);
    assert.deepEqual(await forge.deployments(HUB), []);
  });

  it('refuses statuses for commits that the repository does not have', async () => {
    const { rest } = client(forge);
    const unknown = { owner: 'acme', repo: 'hub', sha, state: 'success' } as const;
    await assert.rejects(rest.repos.createCommitStatus(unknown), { status: 422 });
  });

  it('keeps deployments with their statuses, and finds them by what they were made of', async () => {
    const { rest } = client(forge);
    const to = { owner: 'acme', repo: 'storefront' };
    const options = { ref: sha, auto_merge: false, required_contexts: [] as string[] };
    const create = async (environment: string, run: string) => {
      const made = { ...to, ...options, environment, payload: { run } };
      const { data } = await rest.repos.createDeployment(made);
      assert.ok('id' in data);
      return data.id;
    };
    const first = await create('staging', 'one');
    const second = await create('staging', 'two');
    const production = await create('production', 'three');
    for (const deployment_id of [production, first, second]) {
      await rest.repos.createDeploymentStatus({ ...to, deployment_id, state: 'in_progress' });
      await rest.repos.createDeploymentStatus({ ...to, deployment_id, state: 'success' });
    }

    const staging = await rest.repos.listDeployments({ ...to, sha, environment: 'staging' });
    assert.deepEqual(
      staging.data.map(({ id, payload }) => [id, payload]),
      [
        [second, { run: 'two' }],
        [first, { run: 'one' }],
      ],
    );
    const states = (await forge.deployments(REPOSITORY)).map(({ id, statuses }) => [
      id,
      statuses.map(({ state }) => state),
    ]);
    assert.deepEqual(states, [
      [production, ['success', 'in_progress']],
      [second, ['success', 'in_progress']],
      [first, ['inactive', 'success', 'in_progress']],
    ]);
  });

  it('refuses a deployment while a status of its commit is not green, as GitHub does', async () => {
    const { rest } = client(forge);
    const to = { owner: 'acme', repo: 'storefront' };
    const pending = await sample.commit({ message: 'Pending' });
    await sample.push('main');
    await rest.repos.createCommitStatus({ ...to, sha: pending, state: 'pending' });
    const options = { ...to, ref: pending, auto_merge: false };
    await assert.rejects(rest.repos.createDeployment(options), { status: 409 });
    await rest.repos.createDeployment({ ...options, required_contexts: [] });
  });

  it('keeps repository dispatches', async () => {
    const { rest } = client(forge);
    const dispatch = { event_type: 'component-updated', client_payload: { component: 'shop' } };
    await rest.repos.createDispatchEvent({ owner: 'acme', repo: 'hub', ...dispatch });
    const [kept] = await forge.dispatches(HUB);
    assert.equal(kept?.['event_type'], 'component-updated');
    assert.deepEqual(kept?.['client_payload'], { component: 'shop' });
    assert.deepEqual(await forge.dispatches(REPOSITORY), []);
  });

  it('cuts lists into pages that octokit follows', async () => {
    const octokit = client(forge);
    const status = {
      owner: 'acme',
      repo: 'storefront',
      sha: await sample.commit({ message: 'p' }),
    };
    await sample.push('main');
    for (const context of ['a', 'b', 'c']) {
      await octokit.rest.repos.createCommitStatus({ ...status, state: 'success', context });
    }
    const all = await octokit.paginate(octokit.rest.repos.listCommitStatusesForRef, {
      owner: 'acme',
      repo: 'storefront',
      ref: status.sha,
      per_page: 2,
    });
    assert.deepEqual(
      all.map((each) => each.context),
      ['c', 'b', 'a'],
    );
  });

  it('answers in the shapes of GitHub’s description', async () => {
    const validator = createRequestValidator();
    const { rest } = client(forge);
    const to = { owner: 'acme', repo: 'storefront' };
    await rest.repos.createCommitStatus({ ...to, sha, state: 'success' });
    const made = await rest.repos.createDeployment({ ...to, ref: 'main', required_contexts: [] });
    assert.ok('id' in made.data);
    const id = made.data.id;
    const links = { log_url: forge.url, environment_url: forge.url };
    await rest.repos.createDeploymentStatus({
      ...to,
      deployment_id: id,
      state: 'queued',
      ...links,
    });
    const paths = [
      `/repos/acme/storefront/commits/${sha}/statuses`,
      `/repos/acme/storefront/commits/${sha}/status`,
      '/repos/acme/storefront/deployments',
      `/repos/acme/storefront/deployments/${id}`,
      `/repos/acme/storefront/deployments/${id}/statuses`,
      `/repos/acme/storefront/commits/${sha}/comments`,
      `/repos/acme/storefront/comments/1/reactions`,
    ];
    await rest.repos.createCommitComment({ ...to, commit_sha: sha, body: 'x' });
    await rest.reactions.createForCommitComment({ ...to, comment_id: 1, content: '+1' });
    for (const path of paths) {
      const response = await fetch(forge.url + path);
      const body: unknown = await response.json();
      assert.deepEqual(validator.checkAnswer('GET', path, response.status, body), []);
    }
  });

  it('gives every other route the example of GitHub’s description, and unknown repositories 404', async () => {
    const { rest } = client(forge);
    await rest.repos.listDeployKeys({ owner: 'acme', repo: 'storefront' });
    assert.equal(forge.journal.at(-1)?.by, 'example');
    const unknown = { owner: 'acme', repo: 'gone' };
    await assert.rejects(rest.repos.listDeployments(unknown), { status: 404 });
    await assert.rejects(rest.repos.get(unknown), { status: 404 });
  });

  it('lets a GitHub App find its installation and write with a token of it', async () => {
    const { appId, privateKey, url } = forge;
    assert.ok(appId !== undefined && privateKey !== undefined);
    const app = new Octokit({
      baseUrl: url,
      authStrategy: createAppAuth,
      auth: { appId, privateKey },
      log: silentLog,
    });
    const repository = { owner: 'acme', repo: 'storefront' };
    const { data: installation } = await app.rest.apps.getRepoInstallation(repository);
    const installed = new Octokit({
      baseUrl: url,
      authStrategy: createAppAuth,
      auth: { appId, privateKey, installationId: installation.id },
      log: silentLog,
    });
    const made = await installed.rest.repos.createCommitStatus({
      ...repository,
      sha,
      state: 'success',
    });
    assert.equal(made.data.creator?.login, 'mainsheet[bot]');
  });

  it('answers 401 to writes without, and to all with wrong credentials', async () => {
    const write = { owner: 'acme', repo: 'storefront', sha, state: 'success' } as const;
    const anonymous = new Octokit({ baseUrl: forge.url, log: silentLog });
    await assert.rejects(anonymous.rest.repos.createCommitStatus(write), { status: 401 });
    const stranger = client(forge, 'ghp_wrong');
    await assert.rejects(stranger.rest.repos.createCommitStatus(write), { status: 401 });
    await assert.rejects(stranger.rest.repos.get({ owner: 'acme', repo: 'storefront' }), {
      status: 401,
    });
    const forged = client(forge, 'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiI0MjQyIn0.c2lnbmF0dXJl');
    await assert.rejects(
      forged.rest.apps.getRepoInstallation({ owner: 'acme', repo: 'storefront' }),
      { status: 401 },
    );
  });
});

describe('forge: faults', () => {
  let forge: Forge;
  let sample: Sample;
  const dispatch = { owner: 'acme', repo: 'hub', event_type: 'ping' };

  before(async () => {
    forge = await createForge({ repositories: [HUB] });
    sample = await createSample(forge, HUB, { 'a.txt': 'a' });
  });
  after(async () => {
    await sample.close();
    await forge.close();
  });

  it('answers as ordered, as often as ordered, and to matching requests only', async () => {
    const { rest } = client(forge);
    const fault = { status: 503, headers: { 'retry-after': '7' }, body: { message: 'Unicorn' } };
    forge.faults.next({ method: 'POST', path: /\/dispatches$/ }, fault, 2);
    await rest.repos.get({ owner: 'acme', repo: 'hub' });
    const unicorn = { status: 503, message: /Unicorn/ };
    await assert.rejects(rest.repos.createDispatchEvent(dispatch), unicorn);
    await assert.rejects(rest.repos.createDispatchEvent(dispatch), unicorn);
    await rest.repos.createDispatchEvent(dispatch);
    assert.equal((await forge.dispatches(HUB)).length, 1);
  });

  it('lets as many requests pass first as ordered, and says what was not met yet', async () => {
    const zen = async () => (await fetch(`${forge.url}/zen`)).status;
    forge.faults.next({ path: /zen/, after: 1 }, { status: 503 }, 2);
    assert.equal(forge.faults.left(), 2);
    assert.notEqual(await zen(), 503);
    assert.equal(await zen(), 503);
    assert.equal(forge.faults.left(), 1);
    assert.equal(await zen(), 503);
    assert.equal(forge.faults.left(), 0);
  });

  it('breaks the connection before or after the work is done', async () => {
    const { rest } = client(forge);
    const done = (await forge.dispatches(HUB)).length;
    forge.faults.next({ path: /dispatches/ }, 'reset');
    await assert.rejects(rest.repos.createDispatchEvent(dispatch));
    assert.equal((await forge.dispatches(HUB)).length, done);
    forge.faults.next({ path: /dispatches/ }, 'lost-answer');
    await assert.rejects(rest.repos.createDispatchEvent(dispatch));
    assert.equal((await forge.dispatches(HUB)).length, done + 1);
  });

  it('leaves a request hanging until its sender gives up', async () => {
    forge.faults.next({ path: /zen/ }, 'hang');
    const giveUp = new AbortController();
    const answer = fetch(`${forge.url}/zen`, { signal: giveUp.signal });
    await forge.waitFor(({ path, by }) => path === '/zen' && by === 'fault', 5000);
    giveUp.abort();
    await assert.rejects(answer, { name: 'AbortError' });
  });

  it('makes git fail too', async () => {
    forge.faults.next({ path: /\.git\/info\/refs/ }, { status: 500 });
    await assert.rejects(sample.git('fetch', 'origin'), /500/);
    await sample.git('fetch', 'origin');
  });

  it('says what came instead when a request is waited for in vain', async () => {
    await assert.rejects(
      forge.waitFor(({ path }) => path === '/never', 1),
      /nothing came in 1 ms.*\/dispatches/s,
    );
  });
});

describe('forge: validation', () => {
  it('reports and refuses a request that does not fit GitHub’s description', async (context) => {
    const forge = await createForge({ repositories: [HUB] });
    context.after(() => forge.close());
    const response = await fetch(`${forge.url}/repos/acme/hub/statuses/${'a'.repeat(40)}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${forge.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ state: 'succeeded', colour: 'green' }),
    });
    assert.equal(response.status, 422);
    const problems = forge.problems().join('\n');
    assert.match(problems, /body\/state must be equal to one of the allowed values/);
    assert.match(problems, /body has the unknown property "colour"/);
    assert.deepEqual(forge.journal.at(-1)?.body, { state: 'succeeded', colour: 'green' });
  });
});

describe('forge: git', () => {
  it('asks for a password where repositories are private, and takes the token', async (context) => {
    const forge = await createForge({ repositories: [HUB], privateRepositories: true });
    context.after(() => forge.close());
    const sample = await createSample(forge, HUB, { 'a.txt': 'a' });
    context.after(() => sample.close());
    await assert.rejects(createSample({ ...forge, token: 'ghp_wrong' }, HUB));
    const answer = await fetch(`${forge.url}/${HUB}.git/info/refs?service=git-upload-pack`);
    assert.equal(answer.status, 401);
    assert.match(answer.headers.get('www-authenticate') ?? '', /^Basic/);
  });

  it('lets everyone read a public repository, but push only with the token', async (context) => {
    const forge = await createForge({ repositories: [HUB] });
    context.after(() => forge.close());
    const ask = async (service: string) =>
      (await fetch(`${forge.url}/${HUB}.git/info/refs?service=${service}`)).status;
    assert.equal(await ask('git-upload-pack'), 200);
    assert.equal(await ask('git-receive-pack'), 401);
  });

  it('hands out a commit that no branch holds any more', async (context) => {
    const forge = await createForge({ repositories: [HUB] });
    context.after(() => forge.close());
    const sample = await createSample(forge, HUB, { 'a.txt': 'a' });
    context.after(() => sample.close());
    const lost = await sample.commit({ message: 'Lost' });
    await sample.push('main');
    await sample.push('HEAD~1:refs/heads/main', { force: true });
    const other = await createSample(forge, HUB);
    context.after(() => other.close());
    await assert.rejects(other.git('cat-file', '-e', lost));
    // Version 2 of git's protocol never checks; the older ones do.
    await other.git('-c', 'protocol.version=0', 'fetch', '--quiet', 'origin', lost);
    await other.git('cat-file', '-e', lost);
  });

  it('ends quickly, with requests under way, and leaves nothing behind', async (context) => {
    const directory = await mkdtemp(join(tmpdir(), 'mainsheet-forge-test-'));
    const usual = process.env['TMPDIR'];
    process.env['TMPDIR'] = directory;
    context.after(() => {
      if (usual === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = usual;
      return rm(directory, { recursive: true });
    });
    const forge = await createForge({ repositories: [HUB] });
    context.after(() => forge.close());
    assert.equal((await readdir(directory)).length, 1);
    forge.faults.next({}, 'hang');
    const hanging = assert.rejects(fetch(`${forge.url}/zen`));
    await forge.waitFor(({ path }) => path === '/zen', 5000);
    await forge.close();
    await hanging;
    await assert.rejects(fetch(`${forge.url}/zen`));
    assert.deepEqual(await readdir(directory), []);
  });
});
