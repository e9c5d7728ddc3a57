import { createReadStream } from 'node:fs';
import { describeError, MainsheetError } from '../lib/errors.ts';
import type { Json } from '../model/event.ts';
import { cleanLine } from '../lib/clean-text.ts';
import type { CommandContext } from './context.ts';
import { isRecord } from '../lib/json.ts';

/** GitHub sends no more: https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap */
const LARGEST_PAYLOAD = 25 * 1024 * 1024;

/** A payload with its text exactly as it was read: a signature is over the bytes. */
export interface PayloadFile {
  text: string;
  payload: Json;
}

/** The payload of a push of `from` in the checkout that the command was started in; says what it cannot know. */
export async function payloadOfPush(context: CommandContext, from: string): Promise<PayloadFile> {
  const { openCheckout } = await import('./own-checkout.ts');
  const { pushOf } = await import('./head-push.ts');
  const checkout = await openCheckout(context);
  const { payload, isPushed } = await pushOf(checkout, from);
  if (!isPushed) {
    const note = `${from} is not at ${checkout.remote} yet: what is deployed is fetched from there`;
    const { terminal } = context;
    terminal.note(`${terminal.paintNote('yellow', 'note:')} ${cleanLine(note)}`);
  }
  return { text: JSON.stringify(payload), payload };
}

/**
 * Reads an event's payload from a file, or from `stdin` for `-`. Throws MainsheetError `payload-unreadable`, `payload-too-large` or
 * `payload-invalid`.
 */
export async function readPayload(
  file: string,
  stdin: AsyncIterable<Uint8Array | string>,
): Promise<PayloadFile> {
  const name = file === '-' ? 'standard input' : file;
  const text = await readBounded(file === '-' ? stdin : createReadStream(file), name);
  let payload: Json;
  try {
    payload = JSON.parse(text);
  } catch (error) {
    throw invalid(name, 'is not JSON', error);
  }
  if (isRecord(payload)) return { text, payload };
  throw invalid(name, 'is not a JSON object', undefined);
}

async function readBounded(
  source: AsyncIterable<Uint8Array | string>,
  name: string,
): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const piece of source) {
      const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
      pieces.push(bytes);
      size += bytes.length;
      if (size > LARGEST_PAYLOAD) break;
    }
  } catch (error) {
    throw new MainsheetError('payload-unreadable', `cannot read the payload from ${name}`, {
      cause: describeError(error),
    });
  }
  if (size > LARGEST_PAYLOAD) {
    throw new MainsheetError('payload-too-large', `${name} is larger than 25 MB`, {
      hint: 'GitHub never sends that much',
    });
  }
  return Buffer.concat(pieces).toString('utf8');
}

function invalid(name: string, what: string, cause: unknown): MainsheetError {
  return new MainsheetError('payload-invalid', `${name} ${what}`, {
    cause,
    hint: 'a payload is the event\'s JSON object, as GitHub shows it under "Recent deliveries"',
  });
}
