import assert from 'node:assert/strict';

/** One server-sent event. */
export interface ServerSentEvent {
  event: string;
  id: string | undefined;
  data: Record<string, unknown>;
}

/** The events of a stream as they come; ends when the stream does. Comments are left out. */
export async function* readEvents(response: Response): AsyncGenerator<ServerSentEvent, undefined> {
  assert.ok(response.body);
  let text = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      const block = text.slice(0, end);
      text = text.slice(end + 2);
      if (!block.startsWith(':')) yield parse(block);
    }
  }
}

function parse(block: string): ServerSentEvent {
  const fields = new Map(
    block.split('\n').map((line) => {
      const [name = '', ...value] = line.split(': ');
      return [name, value.join(': ')];
    }),
  );
  return {
    event: fields.get('event') ?? '',
    id: fields.get('id'),
    data: JSON.parse(fields.get('data') ?? 'null') as Record<string, unknown>,
  };
}

/** The next event; fails when the stream has ended. */
export async function nextEvent(
  events: AsyncGenerator<ServerSentEvent, undefined>,
): Promise<ServerSentEvent> {
  const { value } = await events.next();
  assert.ok(value, 'the stream has ended');
  return value;
}
