import { bodyHmac } from './body-hmac.ts';

/** Bitbucket: https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/ */
export const bitbucket = bodyHmac({
  headers: ['X-Hub-Signature'],
  prefix: 'sha256=',
  encoding: 'hex',
  id: ['X-Request-UUID'],
  type: ['X-Event-Key'],
});
