import { createHmac, hash } from 'node:crypto';

/**
 * What a delivery is known by when it comes again under another id, which is not signed: its event, which is not signed either, and
 * the signature of its body. Who has seen a signed request can send this signature again, and can make no other one.
 */
export function deliveryDigest(event: string, signature: string): string {
  return hash('sha256', `${event}\n${signature}`, 'base64url');
}

/** `X-Hub-Signature-256` of a body: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries */
export function sign(secret: string, body: string): string {
  return `sha256=${createHmac('sha256', secret).update(body, 'utf8').digest('hex')}`;
}
