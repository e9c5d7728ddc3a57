import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { plainAddress } from '../lib/networks.ts';

/** Where a request comes from, as far as that can be believed. */
export interface Client {
  address: string;
  /** A trusted proxy has told of it. */
  isForwarded: boolean;
}

/**
 * The last address that is no trusted proxy's: the connection's, or the rightmost such in `X-Forwarded-For`, to which each proxy
 * adds the one that it hears from. What is left of that any sender can write.
 */
export function clientOf(
  request: Pick<IncomingMessage, 'headers' | 'socket'>,
  isTrusted: (address: string) => boolean,
): Client {
  let address = plainAddress(request.socket.remoteAddress ?? '');
  if (!isTrusted(address)) return { address, isForwarded: false };
  const told = String(request.headers['x-forwarded-for'] ?? '').split(',');
  let isForwarded = false;
  while (isTrusted(address)) {
    const next = plainAddress(told.pop()?.trim() ?? '');
    if (isIP(next) === 0) break;
    address = next;
    isForwarded = true;
  }
  return { address, isForwarded };
}
