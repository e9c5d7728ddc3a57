import { bodyHmac } from './body-hmac.ts';

/**
 * Gitea and Forgejo, which also send GitHub's headers: theirs count. https://docs.gitea.com/usage/webhooks,
 * https://forgejo.org/docs/latest/user/webhooks/
 */
export const gitea = bodyHmac({
  headers: ['X-Forgejo-Signature', 'X-Gitea-Signature'],
  encoding: 'hex',
  id: ['X-Forgejo-Delivery', 'X-Gitea-Delivery'],
  type: ['X-Forgejo-Event', 'X-Gitea-Event'],
});
