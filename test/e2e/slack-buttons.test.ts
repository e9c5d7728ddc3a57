import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interaction, sendInteraction } from '../callbacks/slack-interaction.ts';
import { BOT_TOKEN, startSlack } from '../callbacks/slack-stand-in.ts';
import { passTo, SLACK_CA_FILE, startProxy, startTls } from '../support/way-out.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type ExplainView } from '../support/world.ts';

interface DeliveryView {
  id: string;
  event: string;
}

const SECRET = 'the signing secret of the app';
const SPECS = `
kind: hook
id: slack-buttons
sender: slack
secrets: SLACK_SIGNING_SECRET
team: T0000000001
users: { U0000000001: demo }
---
name: shop
repository: ${SITE}
on: { push: { branches: [main] } }
gates: [{ approve: { from: [demo] } }]
secrets: [BOT]
steps: [{ run: echo deployed }]
notify: [{ slack: { token: BOT, channel: C0123456789, buttons: slack-buttons } }]
`;

test('a run is approved by a button of its message in Slack, and who may not is told so alone', async (t) => {
  const slack = await startSlack(t);
  const tls = await startTls(passTo(`http://127.0.0.1:${slack.port}`), 'slack');
  const proxy = await startProxy({ 'slack.com': tls.port, 'hooks.slack.com': tls.port });
  const { controller, sample, runs, ended, explained, close } = await createWorld({
    specs: { 'shop.yaml': SPECS },
    env: {
      MAINSHEET_SECRET_BOT: BOT_TOKEN,
      MAINSHEET_SECRET_SLACK_SIGNING_SECRET: SECRET,
      MAINSHEET_CA_FILE: SLACK_CA_FILE,
      HTTPS_PROXY: proxy.url,
    },
  });
  t.after(async () => {
    await close();
    for (const one of [proxy, tls]) await one.close();
  });

  const sha = await sample.commit({ message: 'To be approved' });
  await sample.push('main');
  const message = await until('the message has buttons', () =>
    slack.messages.find(({ blocks }) => JSON.stringify(blocks).includes('mainsheet-approve')),
  );
  const [run] = await runs(`&sha=${sha}`);
  assert.ok(run);
  const url = new URL('/webhooks/v1/hooks/slack-buttons', controller.url).href;
  /** Presses Approve, and gives what the delivery came to. */
  async function press(user: string): Promise<ExplainView> {
    const payload = interaction({
      user: { id: user, team_id: 'T0000000001' },
      message: { ts: message.ts },
      actions: [{ action_id: 'mainsheet-approve', value: `${run?.id}:0` }],
    });
    const sent = { payload, secret: SECRET, now: Date.now() };
    const response = await sendInteraction(url, sent);
    assert.deepEqual([response.status, await response.text()], [200, '']);
    const { items } = await controller.get<{ items: DeliveryView[] }>('/deliveries?limit=50');
    const own = items.find(({ event }) => event === 'hook:slack-buttons');
    return await explained(own?.id ?? '');
  }

  const refused = await press('U0000000002');
  const why = "Slack's U0000000002 may not approve: the hook slack-buttons names no GitHub user";
  assert.equal(refused.summary, `Not done: ${why} for them`);
  await until('the person is told', () => slack.replies.length > 0);
  assert.partialDeepStrictEqual(slack.replies, [
    { response_type: 'ephemeral', text: `${why} for them` },
  ]);
  assert.equal((await runs(`&sha=${sha}`))[0]?.state, 'blocked');

  const { summary } = await press('U0000000001');
  assert.equal(summary, `@demo (Slack's U0000000001) asked to approve ${run.id}`);
  assert.equal((await ended(sha)).state, 'succeeded');
  await until('the message tells of it', () =>
    message.text.startsWith('shop: Deployed to production'),
  );
  assert.match(JSON.stringify(message.blocks), /mainsheet-retry.*mainsheet-rollback/);
  assert.equal(slack.messages.length, 1);
  assert.equal(slack.replies.length, 1);
});
