import { createHmac, timingSafeEqual } from 'node:crypto';

const SIGNATURE = /^sha256=([0-9a-f]{64})$/;

/** Checks a body against its signature while the body is being read. */
export interface SignatureCheck {
  update(chunk: Uint8Array): void;
  /** Whether what was read so far is what was signed. To be asked once, at the end. */
  matches(): boolean;
}

/**
 * A check of `signature` (`X-Hub-Signature-256`) over the body's bytes as they came, under any of the secrets: several are accepted
 * so that a secret can be changed without losing a delivery. Undefined when the signature is none. Each comparison takes the same
 * time wherever the signatures differ; an empty secret or body matches nothing. Source:
 * https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 */
export function checkSignature(
  secrets: readonly string[],
  signature: string,
): SignatureCheck | undefined {
  const digits = SIGNATURE.exec(signature)?.[1];
  if (digits === undefined) return undefined;
  const expected = Buffer.from(digits, 'hex');
  const hmacs = secrets.filter((secret) => secret !== '').map((key) => createHmac('sha256', key));
  let isEmpty = true;
  return {
    update(chunk) {
      isEmpty &&= chunk.length === 0;
      for (const hmac of hmacs) hmac.update(chunk);
    },
    matches: () => !isEmpty && hmacs.some((hmac) => timingSafeEqual(hmac.digest(), expected)),
  };
}
