import { hash } from 'node:crypto';
import type { Json } from '../../model/event.ts';

/**
 * What a delivery's body is known by when it comes again under another id, which is not signed: the same for the same event and
 * the same JSON (`text` is how it came), whether it came through the webhook or from GitHub's list of deliveries, which writes it in its own way.
 */
export function bodyDigest(event: string, payload: Json, text: string): string {
  return hash('sha256', `${event}\n${canonical(payload, text)}`, 'base64url');
}

function canonical(payload: Json, text: string): string {
  try {
    return JSON.stringify(payload);
  } catch (error) {
    // It is nested deeper than the stack, as nothing is that GitHub makes.
    if (error instanceof RangeError) return text;
    throw error;
  }
}
