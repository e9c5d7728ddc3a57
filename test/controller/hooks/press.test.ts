import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pressEvent, toPressDelivery } from '../../../src/controller/hooks/press.ts';
import type { Json } from '../../../src/model/event.ts';
import type { HookPayload } from '../../../src/model/hook.ts';
import { interaction } from '../../callbacks/slack-interaction.ts';

const PEOPLE = { team: 'T0000000001', users: { U0000000001: 'Alice' } };
const REPLY = 'https://hooks.slack.com/actions/T0000000001/1/abc';

/** What is stored of an interaction. */
function stored(change: Parameters<typeof interaction>[0] = {}) {
  const payload = interaction({ response_url: REPLY, ...change });
  const context = { body: { payload }, headers: {}, query: {} };
  const identity = { id: undefined, type: undefined };
  const known = { text: '', bytes: Buffer.from(payload), identity, signed: '', now: 0 };
  return toPressDelivery({ id: 'b' }, { context, ...known });
}

/** What it means. */
function meant(change: Parameters<typeof interaction>[0], people: typeof PEOPLE | null = PEOPLE) {
  const { press } = JSON.parse(stored(change).payload) as HookPayload;
  return pressEvent('b', { people: people ?? undefined }, press ?? null);
}

test('of a press is kept what was pressed by whom and where, and no token or URL of Slack’s', () => {
  const { payload, callback, event, action } = stored();
  assert.deepEqual(JSON.parse(payload), {
    hook: 'b',
    type: 'approve',
    inputs: {},
    body: null,
    press: {
      action: 'mainsheet-approve',
      value: 'r1:0',
      user: 'U0000000001',
      teams: ['T0000000001', 'T0000000001'],
      channel: 'C0123456789',
      message: '1700000000.000001',
    },
  });
  assert.deepEqual(
    [event, action, callback],
    ['hook:b', 'approve', JSON.stringify({ url: REPLY })],
  );
  assert.deepEqual(meant({}), {
    kind: 'message-press',
    press: 'approve',
    hook: 'b',
    user: 'U0000000001',
    by: { login: 'Alice' },
    of: { run: 'r1', notify: 0 },
    channel: 'C0123456789',
    message: '1700000000.000001',
  });
});

test('what is no press of a button of ours is said to be none', () => {
  const button = { action_id: 'mainsheet-approve', value: 'r1:0' };
  const others: Record<string, Json>[] = [
    { type: 'view_submission' },
    { actions: [] },
    { actions: [button, button] },
    { actions: [{ ...button, action_id: 'approve' }] },
    { actions: [{ ...button, action_id: 'mainsheet-destroy' }] },
    { actions: [{ ...button, value: 'r1' }] },
    { actions: [{ ...button, value: `${'r'.repeat(200)}:0` }] },
    { user: { id: '../U1' } },
    { channel: null },
    { message: { ts: '1700000000' } },
  ];
  for (const other of others) assert.equal(meant(other).kind, 'other', JSON.stringify(other));
});

test('only people that the hook names count, of its workspace, whatever else they are called', () => {
  const teams = (user: string | null, team: string | null): Record<string, Json> => ({
    user: { id: 'U0000000001', name: 'Alice', ...(user === null ? {} : { team_id: user }) },
    team: team === null ? null : { id: team },
  });
  const by = (change: Record<string, Json>, people: typeof PEOPLE | null = PEOPLE) => {
    const event = meant(change, people);
    assert.equal(event.kind, 'message-press');
    return event.by;
  };
  const foreign = { unknown: 'only people of the workspace T0000000001 may, in its channels' };
  assert.deepEqual(by(teams('T0000000001', null)), { login: 'Alice' });
  assert.deepEqual(by(teams('T0000000002', 'T0000000001')), foreign);
  assert.deepEqual(by(teams('T0000000001', 'T0000000002')), foreign);
  assert.deepEqual(by(teams(null, 'T0000000001')), foreign);
  const other = { user: { id: 'U0000000002', name: 'Alice', team_id: 'T0000000001' } };
  assert.deepEqual(by(other), { unknown: 'the hook b names no GitHub user for them' });
  assert.deepEqual(by({}, null), { unknown: 'the hook b is not for buttons any more' });
});

test('a URL for the answer that is not Slack’s is not kept', () => {
  for (const url of [
    'http://hooks.slack.com/x',
    'https://hooks.slack.com.evil.example/x',
    'https://hooks.slack.com:8443/x',
    'https://user@hooks.slack.com/x',
    'https://evil.example/https://hooks.slack.com/',
    7,
    null,
  ]) {
    assert.equal(stored({ response_url: url }).callback, undefined, String(url));
  }
});
