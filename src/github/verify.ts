import { verify } from '@octokit/webhooks-methods';

/** `sha256=` and 64 hexadecimal digits. */
const SIGNATURE_LENGTH = 71;

/**
 * Whether `signature` (`X-Hub-Signature-256`) is that of `body` under any of the secrets: several are accepted so that a secret
 * can be changed without losing a delivery. Each comparison takes the same time wherever the signatures differ. Never throws; an
 * empty secret matches nothing. Source:
 * https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 */
export async function verifySignature(
  secrets: readonly string[],
  body: string,
  signature: string,
): Promise<boolean> {
  // Octokit throws for what is empty. No secret has gone into the answer yet, so answering early tells nothing about one.
  if (body === '' || signature.length !== SIGNATURE_LENGTH) return false;
  for (const secret of secrets) {
    if (secret !== '' && (await verify(secret, body, signature))) return true;
  }
  return false;
}
