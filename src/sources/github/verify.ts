import { isUtf8 } from 'node:buffer';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Webhooks } from '@octokit/webhooks';
import type { BodyCheck } from '../contract.ts';

const SIGNATURE = /^sha256=([0-9a-f]{64})$/;

/**
 * Checks of `X-Hub-Signature-256` under any of the secrets: several are accepted so that a secret can be changed without losing a
 * delivery. Undefined for a signature that is none. Each comparison takes the same time wherever the signatures differ; an empty
 * secret or body matches nothing. Source: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 *
 * A body in memory is verified by @octokit/webhooks, which takes text; bytes that are none, and a body that is too large for memory
 * before it is verified, as they come (docs/decisions/0008-what-octokit-verifies.md).
 */
export function createSignatureChecks(
  secrets: readonly string[],
): (signature: string) => Pick<BodyCheck, 'whole' | 'text' | 'update' | 'matches'> | undefined {
  const usable = secrets.filter((secret) => secret !== '');
  const verifiers = usable.map((secret) => new Webhooks({ secret }));

  async function verifies(text: string, signature: string): Promise<boolean> {
    for (const { verify } of verifiers) if (await verify(text, signature)) return true;
    return false;
  }

  return (signature) => {
    const digits = SIGNATURE.exec(signature)?.[1];
    if (digits === undefined) return undefined;
    const expected = Buffer.from(digits, 'hex');
    return {
      whole(body) {
        if (body.length === 0) return false;
        if (isUtf8(body)) return verifies((this.text = body.toString('utf8')), signature);
        const bytes = checkOfBytes(usable, expected);
        bytes.update(body);
        return bytes.matches();
      },
      ...checkOfBytes(usable, expected),
    };
  };
}

function checkOfBytes(
  secrets: readonly string[],
  expected: Buffer,
): Pick<BodyCheck, 'update' | 'matches'> {
  let hmacs: ReturnType<typeof createHmac>[] | undefined;
  return {
    update(chunk) {
      hmacs ??= secrets.map((secret) => createHmac('sha256', secret));
      for (const hmac of hmacs) hmac.update(chunk);
    },
    matches: () => hmacs?.some((hmac) => timingSafeEqual(hmac.digest(), expected)) ?? false,
  };
}
