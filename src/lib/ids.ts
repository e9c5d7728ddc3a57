import { randomBytes } from 'node:crypto';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/**
 * A new identifier: ten characters of time, then sixteen of randomness (Crockford base 32, as in ULID, lower case),
 * so that ids sort by when they were made and never need escaping in a path, a URL or a branch name.
 */
export function newId(now: number): string {
  let time = '';
  let rest = now;
  for (let digit = 0; digit < 10; digit += 1) {
    time = ALPHABET.charAt(rest % 32) + time;
    rest = Math.floor(rest / 32);
  }
  let random = '';
  for (const byte of randomBytes(16)) random += ALPHABET.charAt(byte % 32);
  return time + random;
}
