import type { Json } from '../model/event.ts';
import type { Incoming, Source } from './contract.ts';
import { required } from './signature.ts';
import { standardVerifier } from './standard-webhooks.ts';
import { tokenVerifier } from './token.ts';

/**
 * GitLab: a signing token (`whsec_…`) signs as Standard Webhooks does, an older secret token is sent as it is. A hook that has both
 * for a change takes either. https://docs.gitlab.com/user/project/integrations/webhooks/
 */
export const gitlab: Source = {
  verifier(secrets) {
    const signed = standardVerifier(secrets.filter((secret) => secret.startsWith('whsec_')));
    const tokens = secrets.filter((secret) => !secret.startsWith('whsec_'));
    const token = tokenVerifier(tokens, ({ header }) =>
      required(header('X-Gitlab-Token'), 'X-Gitlab-Token'),
    );
    return (request, now) =>
      tokens.length === 0 || request.header('webhook-signature') !== ''
        ? signed(request, now)
        : token(request, now);
  },

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
