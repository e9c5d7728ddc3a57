import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export const SEAL_KEY_BYTES = 32;

/** Makes text unreadable without the key. */
export interface Seal {
  /** `text`, sealed. It can only be opened with the same `context`, which says whose it is. */
  close(text: string, context: string): string;
  /** Undefined when it was closed with another key or context, or has been changed. */
  open(sealed: string, context: string): string | undefined;
}

/** A seal with a key of `SEAL_KEY_BYTES` bytes. */
export function createSeal(key: Buffer): Seal {
  return {
    close(text, context) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(context));
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64');
    },
    open(sealed, context) {
      const bytes = Buffer.from(sealed, 'base64');
      const body = NONCE_BYTES + TAG_BYTES;
      try {
        const cipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), {
          authTagLength: TAG_BYTES,
        })
          .setAAD(Buffer.from(context))
          .setAuthTag(bytes.subarray(NONCE_BYTES, body));
        return Buffer.concat([cipher.update(bytes.subarray(body)), cipher.final()]).toString();
      } catch {
        return undefined;
      }
    },
  };
}
