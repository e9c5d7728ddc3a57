import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import type { BodyCheck, Source, Verify } from './contract.ts';
import { checkTime, hmacCheck, required, signatureBytes, textAt, unsigned } from './signature.ts';

const TOLERANCE_MS = 300_000;
/** Full stops divide what is signed: an id with a number after one could be a shorter id, its time, and the beginning of its body. */
const COULD_END_BEFORE = /\.\d+(?:\.|$)/;
/** What stands before the 32 bytes of an ed25519 key in DER: https://www.rfc-editor.org/rfc/rfc8410 */
const DER_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * The check of `webhook-signature`, a list: `v1` is an HMAC under a `whsec_` secret, `v1a` ed25519 with a `whpk_` key. The latter needs
 * the whole body, and so is for bodies in memory alone. https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function standardVerifier(secrets: readonly string[]): Verify {
  const keys = secrets.flatMap((secret) => secretKey(secret) ?? []);
  const publicKeys = secrets.flatMap((secret) => publicKey(secret) ?? []);
  return ({ header }, now) => {
    const id = required(header('webhook-id'), 'webhook-id');
    if (COULD_END_BEFORE.test(id)) {
      throw unsigned('the header webhook-id has a number after a full stop');
    }
    const time = required(header('webhook-timestamp'), 'webhook-timestamp');
    const given = required(header('webhook-signature'), 'webhook-signature').split(' ');
    if (given.some((one) => !/^v\d+a?,[A-Za-z0-9+/]+=*$/.test(one))) {
      throw unsigned('the header webhook-signature is malformed');
    }
    checkTime(time, now, TOLERANCE_MS, TOLERANCE_MS);
    const before = `${id}.${time}.`;
    const bytesOf = (version: string, length: number) =>
      given
        .filter((one) => one.startsWith(version))
        .flatMap((one) => signatureBytes(one.slice(version.length), 'base64', length) ?? []);
    const expected = bytesOf('v1,', 32);
    const check = hmacCheck({ algorithm: 'sha256', keys, before, expected });
    return withEd25519(check, { before, keys: publicKeys, signatures: bytesOf('v1a,', 64) });
  };
}

function withEd25519(
  check: BodyCheck,
  { before, keys, signatures }: { before: string; keys: KeyObject[]; signatures: Buffer[] },
): BodyCheck {
  if (keys.length === 0 || signatures.length === 0) return check;
  return {
    ...check,
    whole(body) {
      const message = Buffer.concat([Buffer.from(before), body]);
      const isSigned = keys.some((key) =>
        signatures.some((one) => verify(null, message, key, one)),
      );
      return isSigned || check.whole(body);
    },
  };
}

function secretKey(secret: string): Buffer | undefined {
  if (secret.startsWith('whpk_')) return undefined;
  return Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
}

function publicKey(secret: string): KeyObject | undefined {
  const bytes = secret.startsWith('whpk_') ? Buffer.from(secret.slice(5), 'base64') : undefined;
  if (bytes?.length !== 32) return undefined;
  const key = Buffer.concat([DER_PREFIX, bytes]);
  return createPublicKey({ key, format: 'der', type: 'spki' });
}

/** A secret as the standard writes it. */
export function standardSecret(bytes: Buffer): string {
  return `whsec_${bytes.toString('base64')}`;
}

/** Whatever signs as https://www.standardwebhooks.com says. */
export const standardWebhooks: Source = {
  verifier: standardVerifier,
  secretProblem: (secret) =>
    secret.startsWith('whpk_') && publicKey(secret) === undefined
      ? 'begins with whpk_ and is no public key: 32 bytes in base64 have to follow'
      : undefined,
  secretFrom: standardSecret,
  identify: ({ header }, body) => ({
    id: header('webhook-id') || undefined,
    type: textAt(body, 'type'),
  }),
};
