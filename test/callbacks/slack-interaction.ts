import { createHmac } from 'node:crypto';
import type { Json } from '../../src/model/event.ts';

/**
 * The field `payload` of what Slack sends when Approve is pressed, by
 * https://docs.slack.dev/reference/interaction-payloads/block_actions-payload, with some of it changed.
 */
export function interaction(change: Record<string, Json> = {}): string {
  return JSON.stringify({
    type: 'block_actions',
    user: { id: 'U0000000001', username: 'alice', name: 'alice', team_id: 'T0000000001' },
    api_app_id: 'A0000000001',
    token: 'a-token-of-Slack',
    container: { type: 'message', message_ts: '1700000000.000001', channel_id: 'C0123456789' },
    trigger_id: '1.2.a-trigger-of-Slack',
    team: { id: 'T0000000001', domain: 'acme' },
    enterprise: null,
    is_enterprise_install: false,
    channel: { id: 'C0123456789', name: 'deployments' },
    message: { type: 'message', ts: '1700000000.000001', text: 'storefront' },
    state: { values: {} },
    response_url: 'https://hooks.slack.com/actions/T0000000001/1/abc',
    actions: [
      {
        type: 'button',
        block_id: 'b',
        action_id: 'mainsheet-approve',
        value: 'r1:0',
        action_ts: '1700000001.000001',
      },
    ],
    ...change,
  });
}

/** Sends it as Slack does. `now`: in milliseconds since the epoch. */
export async function sendInteraction(
  url: string,
  { payload, secret, now }: { payload: string; secret: string; now: number },
): Promise<Response> {
  const body = new URLSearchParams({ payload }).toString();
  const time = String(Math.floor(now / 1000));
  const signature = createHmac('sha256', secret).update(`v0:${time}:${body}`).digest('hex');
  return await fetch(url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/x-www-form-urlencoded',
      'X-Slack-Signature': `v0=${signature}`,
      'X-Slack-Request-Timestamp': time,
    },
    body,
  });
}
