import { MainsheetError } from './errors.ts';

/** One server-sent event. */
export interface ServerEvent {
  event: string;
  data: string;
}

/** An event of more than this many UTF-16 units is not one of Mainsheet's. */
const LONGEST_EVENT = 16 * 1024 * 1024;

/**
 * Reads server-sent events as they come: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream.
 * An event that the stream's end cuts off is dropped, as there. Throws MainsheetError `event-too-large`.
 */
export async function* readEventStream(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<ServerEvent> {
  let event = '';
  let data: string[] = [];
  let length = 0;
  for await (const line of linesOf(body)) {
    if (line === '') {
      if (data.length > 0) yield { event: event || 'message', data: data.join('\n') };
      event = '';
      data = [];
      length = 0;
      continue;
    }
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') event = value;
    if (field !== 'data') continue;
    data.push(value);
    // A line without anything takes room, too.
    checkLength((length += value.length + 1));
  }
}

async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of body) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield line.replace(/\r$/, '');
    checkLength(rest.length);
  }
}

function checkLength(length: number): void {
  if (length <= LONGEST_EVENT) return;
  throw new MainsheetError('event-too-large', 'the server sent an event of more than 16 MB');
}
