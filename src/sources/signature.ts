import { createHmac, timingSafeEqual, type Hmac } from 'node:crypto';
import { TerminalError, withoutStack } from '../lib/errors.ts';
import type { Json } from '../model/event.ts';
import type { BodyCheck } from './contract.ts';

/** A request that nothing says its sender has signed. */
export function unsigned(
  detail: string,
  hint = "the hook's secret must be the one that the sender has",
): TerminalError {
  return withoutStack(() => new TerminalError('bad-signature', detail, { hint }));
}

/** A header that has to be there. Throws TerminalError `bad-signature`. */
export function required(value: string, name: string): string {
  if (value !== '') return value;
  throw unsigned(`the header ${name} is missing`);
}

/** The bytes of a signature as it is written; undefined when it is not written so. */
export function signatureBytes(
  text: string,
  encoding: 'hex' | 'base64',
  length: number,
): Buffer | undefined {
  if (encoding === 'hex' && !/^[0-9a-f]*$/.test(text)) return undefined;
  const bytes = Buffer.from(text, encoding);
  return bytes.length === length && bytes.toString(encoding) === text ? bytes : undefined;
}

export const DIGEST_BYTES = { sha1: 20, sha256: 32, sha512: 64 } as const;

/**
 * The check that one of `expected` is the HMAC of `before` and the body under one of the keys. Each comparison takes the same
 * time wherever the two differ. An empty key matches nothing.
 */
export function hmacCheck(input: {
  algorithm: keyof typeof DIGEST_BYTES;
  keys: readonly (string | Buffer)[];
  before?: string;
  expected: readonly Buffer[];
}): BodyCheck {
  const { algorithm, before = '', expected } = input;
  let hmacs: Hmac[] | undefined;
  const check = {
    update(chunk: Uint8Array) {
      hmacs ??= input.keys
        .filter(({ length }) => length > 0)
        .map((key) => createHmac(algorithm, key).update(before));
      for (const hmac of hmacs) hmac.update(chunk);
    },
    matches() {
      const digests = hmacs?.map((hmac) => hmac.digest()) ?? [];
      return digests.some((digest) => expected.some((one) => timingSafeEqual(digest, one)));
    },
  };
  return {
    ...check,
    signed: before,
    whole(body) {
      check.update(body);
      return check.matches();
    },
    refusal: () => unsigned('the signature does not match the body and any secret of the hook'),
  };
}

/**
 * The time of signing, in seconds since the epoch as it is written. Throws TerminalError `bad-signature` when it is further
 * from `now` than allowed, in milliseconds.
 */
export function checkTime(text: string, now: number, past: number, future: number): void {
  if (!/^\d{1,12}$/.test(text)) throw unsigned('the time of signing is not in seconds since 1970');
  const age = now - Number(text) * 1000;
  const hint = 'what is sent again is to be signed again; else compare the clocks of both machines';
  if (age > past) throw unsigned(`signed ${Math.round(age / 1000)} s ago, which is too old`, hint);
  if (-age > future) throw unsigned(`signed ${Math.round(-age / 1000)} s in the future`, hint);
}

/** The text at a path of a body; undefined when there is none. */
export function textAt(body: Json, ...path: string[]): string | undefined {
  let value: Json | undefined = body;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    value = Object.hasOwn(value, key) ? value[key] : undefined;
  }
  return typeof value === 'string' && value !== '' ? value : undefined;
}
