import type { Json } from '../model/event.ts';
import type { Incoming, Source } from './contract.ts';
import { required } from './signature.ts';
import { standardSecret, standardVerifier } from './standard-webhooks.ts';
import { tokenVerifier } from './token.ts';

/**
 * GitLab: a signing token (`whsec_…`) signs as Standard Webhooks does, an older secret token is sent as it is. Where a hook has
 * a signing token no other secret counts: what is not signed never passes by a weaker check.
 * https://docs.gitlab.com/user/project/integrations/webhooks/
 */
export const gitlab: Source = {
  verifier(secrets) {
    const signing = secrets.filter((secret) => secret.startsWith('whsec_'));
    if (signing.length > 0) return standardVerifier(signing);
    return tokenVerifier(secrets, ({ header }) =>
      required(header('X-Gitlab-Token'), 'X-Gitlab-Token'),
    );
  },

  secretFrom: standardSecret,
  secretHeaders: ['x-gitlab-token'],

  identify: ({ header }, body) => ({
    id: header('webhook-id') || header('Idempotency-Key') || ofEvent(header, body),
    type: header('X-Gitlab-Event') || undefined,
  }),
};

/** All that follows from one request to GitLab has one `X-Gitlab-Event-UUID`: only with the body it names a delivery. */
function ofEvent(header: Incoming['header'], body: Json): string | undefined {
  const id = header('X-Gitlab-Event-UUID');
  return id === '' ? undefined : `${id} ${JSON.stringify(body)}`;
}
