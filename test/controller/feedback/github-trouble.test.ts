import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import { pino } from 'pino';
import { createForge, type Forge } from '../../../demo/forge.ts';
import type { Fault } from '../../../demo/forge/faults.ts';
import { createSample, type Sample } from '../../../demo/sample.ts';
import { createGitHub } from '../../../src/github/client.ts';
import { createSender } from '../../../src/callbacks/send.ts';
import { createSimulation, MINUTE, SECOND, type Simulation } from '../simulation.ts';

const SITE = 'acme/storefront';
const HUB = 'acme/hub';
const WRITES = { method: 'POST', path: /\/(?:statuses|deployments|dispatches)/ };

const limited = (headers: Record<string, string>, status = 403): Fault => ({
  status,
  headers,
  body: { message: 'You have exceeded a secondary rate limit.' },
});

const refused = (field: string): Fault => ({
  status: 422,
  body: { message: 'Validation Failed', errors: [{ field, code: 'custom', message: 'no' }] },
});
const page: Fault = { status: 502, headers: { 'content-type': 'text/html' }, body: '<h1>Oh</h1>' };

/** What GitHub does to the next writes, how many of them, and until when everything has arrived all the same. */
const troubles: [string, Fault, number, number][] = [
  ['answers 502', { status: 502 }, 6, 10 * MINUTE],
  ['answers 503 with a time', { status: 503, headers: { 'retry-after': '30' } }, 2, 3 * MINUTE],
  ['breaks connections', 'reset', 6, 10 * MINUTE],
  ['never answers', 'hang', 3, 5 * MINUTE],
  ['does it but the answer is lost', 'lost-answer', 3, 5 * MINUTE],
  ['refuses what a state says beside itself', refused('description'), 1, 2 * MINUTE],
  ['answers with a page of HTML', page, 3, 10 * MINUTE],
  ['answers with a page as if all were well', { ...page, status: 200 }, 3, 10 * MINUTE],
  ['answers 403 with Retry-After', limited({ 'retry-after': '90' }), 1, 5 * MINUTE],
  ['answers 429 with Retry-After', limited({ 'retry-after': '90' }, 429), 2, 10 * MINUTE],
  ['answers 403 without a time', limited({}), 1, 5 * MINUTE],
  ['answers 429 without a time', limited({}, 429), 2, 10 * MINUTE],
];

describe('when GitHub', () => {
  let forge: Forge;
  let sample: Sample;
  before(async () => {
    forge = await createForge({ repositories: [SITE, HUB], app: true });
    sample = await createSample(forge, SITE, { 'README.md': 'shop\n' });
  });
  after(async () => {
    await sample.close();
    const problems = forge.problems();
    await forge.close();
    assert.deepEqual(problems, [], 'every request fits the API description of GitHub');
  });

  /** A world whose one run, on a commit of its own, reports to the forge as an App. */
  async function begin(
    t: TestContext,
    requestTimeoutMs = 60_000,
  ): Promise<{ world: Simulation; sha: string; from: number }> {
    const sha = await sample.commit({ message: t.name });
    await sample.push('main');
    const logger = pino({ level: 'silent' });
    const world = await createSimulation(t, {
      sha,
      connect(clock, budget) {
        const github = createGitHub({
          apiUrl: forge.url,
          auth: { kind: 'app', appId: forge.appId ?? '', privateKey: forge.privateKey ?? '' },
          logger,
          clock,
          requestTimeoutMs,
          onPrimaryLimit: (account, primary) => budget().observe(account, primary),
        });
        return createSender({ github, clock });
      },
    });
    world.plan(`run-${sha}`, 1, 0, { start: 10 * SECOND, end: 20 * SECOND });
    return { world, sha, from: forge.journal.length };
  }

  const writes = (from: number) =>
    forge.journal
      .slice(from)
      .filter(({ method, path }) => method === 'POST' && WRITES.path.test(path));

  async function assertTruth(world: Simulation, sha: string): Promise<void> {
    assert.deepEqual(await world.store.outbox.countOpen(), { pending: 0, dead: 0 });
    const [status] = await forge.statuses(SITE, sha);
    assert.equal(status?.['state'], 'success');
    const deployments = (await forge.deployments(SITE)).filter((one) => one['sha'] === sha);
    assert.equal(deployments.length, 1, 'one Deployment');
    assert.equal(deployments[0]?.statuses[0]?.['state'], 'success');
    const heard = (await forge.dispatches(HUB)).filter((one) =>
      JSON.stringify(one['client_payload']).includes(sha),
    );
    assert.ok(heard.length >= 1, 'the hub has heard of it');
  }

  for (const [what, fault, times, wait] of troubles) {
    test(`${what}, callbacks wait and the truth arrives in order`, async (t) => {
      const { world, sha, from } = await begin(t, fault === 'hang' ? 1000 : undefined);
      forge.faults.next(WRITES, fault, times);
      await world.pass(wait);
      assert.equal(world.ended.size, 1, 'the run went on');
      await assertTruth(world, sha);
      assert.ok(
        writes(from).some(({ by }) => by === 'fault') || fault === 'lost-answer',
        'the trouble was met',
      );
      const states = writes(from).flatMap(({ path, body, status }) =>
        path.includes('/statuses/') && status === 201 ? [(body as { state?: string }).state] : [],
      );
      // More than once when an answer came too late.
      const fromTheEnd = states.slice(states.indexOf('success'));
      assert.deepEqual([...new Set(fromTheEnd)], ['success'], `the end is last: ${states.join()}`);
    });
  }

  test('does not know the commit yet, its status and its Deployment arrive when it does', async (t) => {
    const { world, sha, from } = await begin(t);
    const unknown = { status: 422, body: { message: `No commit found for SHA: ${sha}` } };
    forge.faults.next({ method: 'POST', path: /\/(?:statuses|deployments)/ }, unknown, 8);
    await world.pass(5 * MINUTE);
    assert.equal(writes(from).filter(({ by }) => by === 'fault').length, 8);
    await assertTruth(world, sha);
  });

  test('asks for a pause, nothing else of the account is tried until it is over', async (t) => {
    const { world, sha, from } = await begin(t);
    forge.faults.next(WRITES, limited({ 'retry-after': '300' }), 1);
    await world.pass(5 * SECOND);
    const tried = writes(from).length;
    assert.ok(tried >= 1 && tried <= 2, `${tried} were under way`);
    await world.pass(4 * MINUTE);
    assert.equal(world.ended.size, 1, 'the run went on');
    assert.equal(writes(from).length, tried, 'nothing was tried in the pause');
    await world.pass(3 * MINUTE);
    await assertTruth(world, sha);
    const states = writes(from).flatMap(({ path, body }) =>
      path.includes('/statuses/') ? [(body as { state?: string }).state] : [],
    );
    assert.deepEqual(states.slice(-1), ['success']);
    // What the run's start and its queueing would have said is not said any more: only what was under way, and the end.
    assert.ok(states.length <= 2, `what the end made pointless was not sent: ${states.join()}`);
  });

  test('says that the primary limit is used up, nothing is sent until it is reset', async (t) => {
    const { world, sha, from } = await begin(t);
    const reset = Math.ceil(world.now() / 1000) + 600;
    forge.faults.next(
      WRITES,
      {
        status: 403,
        headers: {
          'x-ratelimit-limit': '5000',
          'x-ratelimit-remaining': '0',
          'x-ratelimit-reset': String(reset),
        },
        body: { message: 'API rate limit exceeded' },
      },
      1,
    );
    await world.pass(5 * SECOND);
    const tried = writes(from).length;
    await world.pass(9 * MINUTE);
    assert.equal(writes(from).length, tried);
    await world.pass(4 * MINUTE);
    await assertTruth(world, sha);
  });

  test('says with an answer that the primary limit is used up, nothing runs into it', async (t) => {
    const { world, sha, from } = await begin(t);
    forge.faults.next(
      WRITES,
      {
        status: 201,
        headers: {
          'x-ratelimit-limit': '5000',
          'x-ratelimit-remaining': '0',
          'x-ratelimit-reset': String(Math.ceil(world.now() / 1000) + 600),
        },
        body: { id: 1 },
      },
      1,
    );
    await world.pass(5 * SECOND);
    const tried = writes(from).length;
    await world.pass(9 * MINUTE);
    assert.equal(world.ended.size, 1, 'the run went on');
    assert.equal(writes(from).length, tried, 'what was under way, and nothing after it');
    await world.pass(4 * MINUTE);
    const [status] = await forge.statuses(SITE, sha);
    assert.equal(status?.['state'], 'success');
  });

  test('says that a token has expired, a new one is made', async (t) => {
    const { world, sha, from } = await begin(t);
    await world.pass(5 * SECOND);
    // The client takes a 401 of a token that is a few seconds old for lag, and asks again for five seconds.
    forge.revokeTokens();
    await world.pass(10 * MINUTE);
    const made = forge.journal.slice(from).filter(({ path }) => path.endsWith('/access_tokens'));
    assert.ok(made.length >= 2, `${made.length} tokens`);
    await assertTruth(world, sha);
  });
});
