import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { inspect } from 'node:util';
import { kindOf, type AnyCallback } from '../../src/callbacks/index.ts';
import { createSender } from '../../src/callbacks/send.ts';
import { RetryableError } from '../../src/lib/errors.ts';
import type { Run } from '../../src/model/run.ts';
import { createRender } from '../../src/runs/render-callback.ts';
import type { Store } from '../../src/store/index.ts';
import type { OutboxEntry } from '../../src/store/outbox.ts';
import type { AnyNotify } from '../../src/spec/notify/index.ts';
import { startStandIn, type Reply } from '../github/stand-in.ts';
import { connect, createTestClock, failureOf, isRetryable } from '../github/support.ts';
import { sampleLoaded } from '../runs/samples.ts';
import { sampleRun } from '../store/samples.ts';

type Kind = 'slack' | 'discord' | 'teams';

const KINDS: Kind[] = ['slack', 'discord', 'teams'];
const PATH = '/services/s3cret-path';
const HOSTILE = '<!channel> & *[x](https://evil.example)* @everyone';

const RUN: Run = {
  ...sampleRun('r1', {
    spec: 'shop',
    repository: 'acme/shop',
    environment: 'production',
    branch: 'main',
    sha: 'a'.repeat(40),
    state: 'failed',
    fault: 'step',
    reason: 'step 1\nfailed <b>',
    outputs: { note: HOSTILE, token: '***' },
    maskedOutputs: ['token'],
  }),
  sequence: 1,
};

interface Options {
  text?: string;
  run?: Partial<Run>;
  publicUrl?: string | undefined;
  url?: string;
}

async function messageOf(kind: Kind, options: Options = {}) {
  const { spec } = sampleLoaded({
    notify: [{ kind, on: ['failed'], secret: 'CHAT_URL', text: options.text } as AnyNotify],
    secrets: ['CHAT_URL'],
  });
  const payload = JSON.stringify({ sender: { login: 'octocat' } });
  const render = createRender({
    store: { inbox: { get: async () => ({ payload }) } } as unknown as Store,
    specOf: async () => spec,
    secret: (name) => (name === 'CHAT_URL' ? options.url : undefined),
    publicUrl: 'publicUrl' in options ? options.publicUrl : 'https://mainsheet.example',
  });
  const entry: Partial<OutboxEntry> = {
    id: 1,
    run: 'r1',
    callback: { kind, notify: 0, run: { ...RUN, ...options.run } } as AnyCallback,
    createdAt: 1000,
  };
  return await render(entry as OutboxEntry);
}

/** What the receiver gets. */
async function post(t: TestContext, kind: Kind, options: Options = {}, reply?: Reply) {
  const server = await startStandIn(t, () => reply ?? { status: 200, text: 'ok' }, {
    validate: false,
  });
  const message = await messageOf(kind, { url: server.url + PATH, ...options });
  const { github } = connect('http://127.0.0.1:1', { auth: undefined });
  const sender = createSender({ github, clock: createTestClock() });
  const signal = new AbortController().signal;
  const send = () => sender.send(message, { retried: false, ageMs: 0, signal });
  return { server, send };
}

async function bodyOf(t: TestContext, kind: Kind, options?: Options): Promise<unknown> {
  const { server, send } = await post(t, kind, options);
  await send();
  const [request] = server.requests;
  assert.equal(request?.headers['content-type'], 'application/json');
  return request.body;
}

test('Slack gets blocks with the facts, escaped, and a text for notifications', async (t) => {
  const mrkdwn = (text: string) => ({ type: 'mrkdwn', text, verbatim: true });
  assert.deepEqual(await bodyOf(t, 'slack', { text: '*Look*: ${{ outputs.note }}' }), {
    text: 'shop: Failed',
    blocks: [
      {
        type: 'section',
        text: mrkdwn(
          ':red_circle: *shop: Failed*  <https://mainsheet.example/runs/r1|Open the run>',
        ),
      },
      {
        type: 'section',
        text: mrkdwn('*Look*: &lt;!channel&gt; &amp; *[x](https://evil.example)* @everyone'),
      },
      {
        type: 'section',
        fields: [
          mrkdwn('*Environment*\nproduction'),
          mrkdwn('*Repository*\nacme/shop'),
          mrkdwn('*Revision*\nmain at aaaaaaaaaaaa'),
          mrkdwn('*Started by*\noctocat'),
          mrkdwn('*Reason*\nstep 1 failed &lt;b&gt;'),
        ],
      },
    ],
    unfurl_links: false,
    unfurl_media: false,
  });
});

test('Discord gets an embed in which values are no Markdown, and mentions are off', async (t) => {
  const { server, send } = await post(t, 'discord', { text: '**Look**: ${{ outputs.note }}' });
  await send();
  const field = (name: string, value: string) => ({ name, value, inline: true });
  // Without it Discord answers 204 to what it does not keep.
  assert.equal(server.requests[0]?.path, `${PATH}?wait=true`);
  assert.deepEqual(server.requests[0].body, {
    embeds: [
      {
        title: String.raw`shop\: Failed`,
        description: String.raw`**Look**: \<\!channel\> \& \*\[x\]\(https\:\/\/evil\.example\)\* \@everyone`,
        url: 'https://mainsheet.example/runs/r1',
        color: 0xcf222e,
        fields: [
          field('Environment', 'production'),
          field('Repository', String.raw`acme\/shop`),
          field('Revision', 'main at aaaaaaaaaaaa'),
          field('Started by', 'octocat'),
          field('Reason', String.raw`step 1 failed \<b\>`),
        ],
        timestamp: '1970-01-01T00:00:01.000Z',
      },
    ],
    allowed_mentions: { parse: [] },
  });
});

test('Teams gets an Adaptive Card of text runs, which know no Markdown', async (t) => {
  const line = (...runs: { text: string; [style: string]: string }[]) => ({
    type: 'RichTextBlock',
    inlines: runs.map((run) => ({ type: 'TextRun', ...run })),
  });
  const fact = (name: string, text: string) =>
    line({ text: `${name}: `, weight: 'Bolder' }, { text });
  assert.deepEqual(await bodyOf(t, 'teams', { text: 'Look: ${{ outputs.note }}' }), {
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        contentUrl: null,
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          body: [
            line({ text: 'shop: Failed', weight: 'Bolder', size: 'Large', color: 'Attention' }),
            line({ text: `Look: ${HOSTILE}` }),
            fact('Environment', 'production'),
            fact('Repository', 'acme/shop'),
            fact('Revision', 'main at aaaaaaaaaaaa'),
            fact('Started by', 'octocat'),
            fact('Reason', 'step 1 failed <b>'),
          ],
          actions: [
            {
              type: 'Action.OpenUrl',
              title: 'Open the run',
              url: 'https://mainsheet.example/runs/r1',
            },
          ],
        },
      },
    ],
  });
});

for (const kind of KINDS) {
  test(`${kind}: without a public URL there is no link, without a text only the facts`, async (t) => {
    const body = await bodyOf(t, kind, { publicUrl: undefined });
    assert.doesNotMatch(
      JSON.stringify(body),
      /undefined|null,"text|http:\/\/127|Open the run|runs\/r1/,
    );
    const empty = await bodyOf(t, kind, { publicUrl: undefined, text: "${{ '' }}" });
    assert.deepEqual(empty, body);
  });

  test(`${kind}: a rollback is not said to be of the one who pushed`, async (t) => {
    const text = JSON.stringify(await bodyOf(t, kind, { run: { cause: 'rollback' } }));
    assert.match(text, /a rollback/);
    assert.doesNotMatch(text, /octocat/);
  });

  test(`${kind}: no value has what turns the direction of writing round, or what a terminal obeys`, async (t) => {
    const text = JSON.stringify(
      await bodyOf(t, kind, {
        text: '${{ outputs.note }}',
        run: {
          branch: 'main\u202etxt',
          reason: 'no\u2066t \u001b[31mred',
          outputs: { note: 'a\u202eb\u001b[2Jc' },
          maskedOutputs: undefined,
        },
      }),
    );
    assert.doesNotMatch(text, /[\u202a-\u202e\u2066-\u2069]|\\u00/);
    for (const word of ['maintxt', 'not red', 'abc']) assert.ok(text.includes(word), word);
  });

  test(`${kind}: the longest values stay within what it takes`, async (t) => {
    const body = await bodyOf(t, kind, {
      text: '${{ run.outputs.note }}',
      run: {
        spec: 's'.repeat(63),
        environment: '<'.repeat(255),
        branch: '\u{1f680}'.repeat(1000),
        reason: '&'.repeat(500),
        outputs: { note: '&'.repeat(100_000) },
        maskedOutputs: undefined,
      },
    });
    const text = JSON.stringify(body);
    // Teams takes 28 KB, Discord 6,000 characters in all of an embed.
    assert.ok(Buffer.byteLength(text) < 28 * 1024, `${Buffer.byteLength(text)} bytes`);
    if (kind === 'slack') {
      const texts = [...text.matchAll(/"text":"((?:[^"\\]|\\.)*)"/g)].map(([, each]) => each ?? '');
      assert.ok(texts.every((each) => each.length <= 2000 && each.length > 0));
    }
    if (kind === 'discord') {
      const { embeds } = body as {
        embeds: [{ title: string; description: string; fields: { name: string; value: string }[] }];
      };
      const [{ title, description, fields }] = embeds;
      assert.ok(title.length <= 256 && description.length <= 4096);
      assert.ok(fields.every(({ value }) => value.length <= 1024));
      const all = [title, description, ...fields.flatMap(({ name, value }) => [name, value])];
      assert.ok(all.join('').length <= 6000);
    }
  });

  test(`${kind}: what is refused is asked about again when the answer says, a webhook that is gone is not`, async (t) => {
    const busy = await post(t, kind, {}, { status: 429, headers: { 'retry-after': '30' } });
    const later = await failureOf(busy.send());
    assert.ok(later instanceof RetryableError);
    assert.equal(later.retryAfterMs, 30_000);
    const gone = await post(t, kind, {}, { status: 410 });
    const never = await failureOf(gone.send());
    assert.equal(isRetryable(never), false);
    for (const failure of [later, never]) {
      assert.doesNotMatch(inspect(failure, { depth: 20 }), /s3cret/);
    }
  });

  test(`${kind}: a secret that is no URL is refused and not shown`, async () => {
    const message = await messageOf(kind, { url: 'hidden' });
    const { github } = connect('http://127.0.0.1:1', { auth: undefined });
    const sender = createSender({ github, clock: createTestClock() });
    const options = { retried: false, ageMs: 0, signal: new AbortController().signal };
    const failure = await failureOf(sender.send(message, options));
    assert.equal(failure.code, 'webhook-url');
    assert.doesNotMatch(inspect(failure, { depth: 20 }), /hidden/);
  });

  test(`${kind}: a text with an output that holds a secret is not sent`, async () => {
    await assert.rejects(
      messageOf(kind, { url: 'https://x.example', text: '${{ outputs.token }}' }),
      {
        code: 'output-masked',
      },
    );
  });

  test(`${kind}: the outbox has the place in the spec, no URL and no text`, () => {
    const [due] = kindOf({ kind }).due({
      run: RUN,
      spec: {
        feedback: [],
        gates: [],
        notify: [{ kind, on: ['failed'], secret: 'CHAT_URL', text: 'hello' } as AnyNotify],
        productionEnvironment: true,
        transientEnvironment: false,
      },
      previous: 'running',
      wasDeployed: false,
      publicUrl: undefined,
    });
    assert.deepEqual(due, { kind, notify: 0, run: RUN });
  });
}
