import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';

/** A message as Slack keeps it. */
export interface SlackMessage {
  ts: string;
  thread_ts?: string;
  text: string;
  blocks: unknown[];
  metadata: { event_type: string; event_payload: unknown };
}

export const BOT_TOKEN = 'xoxb-not-a-real-token';
const CHANNEL = 'C0123456789';

type Args = Record<string, string | undefined> & Omit<SlackMessage, 'text'>;

/** What one call gets in place of an answer; `lost`: it is done, and the connection breaks before the answer. */
type Trouble = 'lost' | { status: number; headers?: Record<string, string>; body?: object };

/**
 * A workspace with one channel, by the pages of docs.slack.dev on chat.postMessage, chat.update, conversations.history and
 * conversations.replies, and on answers to interactions. `fetch` sends there what is meant for slack.com and hooks.slack.com.
 */
export async function startSlack(t: TestContext) {
  const messages: SlackMessage[] = [];
  const calls: string[] = [];
  const troubles: Trouble[] = [];
  /** What was answered to those who pressed buttons. */
  const replies: unknown[] = [];

  function post(args: Args) {
    const ts = `1700000000.${String(messages.length + 1).padStart(6, '0')}`;
    const { thread_ts, text: said = '', blocks, metadata } = args;
    messages.push({ ts, text: said, blocks, metadata, ...(thread_ts && { thread_ts }) });
    return { ok: true, ts };
  }

  function update({ ts, text: said = '', blocks, metadata }: Args) {
    const message = messages.find((each) => each.ts === ts);
    if (message === undefined) return { ok: false, error: 'message_not_found' };
    Object.assign(message, { text: said, blocks, metadata });
    return { ok: true, ts };
  }

  function list(args: Args, isIn: (message: SlackMessage) => boolean) {
    assert.equal(args['include_all_metadata'], 'true');
    // One on a page: fewer than were asked for may come.
    const at = Number(args['cursor'] ?? 0);
    const found = messages.filter(isIn).toReversed();
    const next_cursor = at + 1 < found.length ? String(at + 1) : '';
    return { ok: true, messages: found.slice(at, at + 1), response_metadata: { next_cursor } };
  }

  function answer(method: string, args: Args): object {
    if (args['channel'] !== CHANNEL) return { ok: false, error: 'channel_not_found' };
    if (method === 'chat.postMessage') return post(args);
    if (method === 'chat.update') return update(args);
    const isReply = (message: SlackMessage) => message.thread_ts === args.ts;
    if (method === 'conversations.replies') return list(args, isReply);
    return list(args, ({ ts, thread_ts }) => !thread_ts && Number(ts) > Number(args['oldest']));
  }

  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const [, room, method = ''] = /^\/(\w+)\/(.*)$/.exec(request.url ?? '') ?? [];
      if (room === 'api') calls.push(method);
      const trouble = troubles.shift();
      if (typeof trouble === 'object') {
        response.writeHead(trouble.status, trouble.headers);
        response.end(JSON.stringify(trouble.body ?? {}));
        return;
      }
      const isJson = request.headers['content-type']?.startsWith('application/json') === true;
      const read = isJson ? JSON.parse(body) : Object.fromEntries(new URLSearchParams(body));
      if (room === 'actions') {
        replies.push(read);
        response.end('ok');
        return;
      }
      const isKnown = request.headers.authorization === `Bearer ${BOT_TOKEN}`;
      const said = isKnown ? answer(method, read) : { ok: false, error: 'invalid_auth' };
      if (trouble === 'lost') response.destroy();
      else response.end(JSON.stringify(said));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const { port } = address;

  const redirected: typeof fetch = async (url, options) => {
    const { origin, pathname } = new URL(url instanceof Request ? url.url : url);
    const isReply = pathname.startsWith('/actions/');
    assert.equal(origin, isReply ? 'https://hooks.slack.com' : 'https://slack.com');
    return await fetch(`http://127.0.0.1:${port}${pathname}`, options);
  };
  return { messages, replies, calls, troubles, port, fetch: redirected };
}
