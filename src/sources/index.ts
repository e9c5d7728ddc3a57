import type { SenderName } from '../model/hook.ts';
import { bitbucket } from './bitbucket.ts';
import type { Source } from './contract.ts';
import { gitea } from './gitea.ts';
import { github } from './github/source.ts';
import { gitlab } from './gitlab.ts';
import { hmac } from './hmac.ts';
import { pagerduty } from './pagerduty.ts';
import { shopify } from './shopify.ts';
import { slack } from './slack.ts';
import { standardWebhooks } from './standard-webhooks.ts';
import { stripe } from './stripe.ts';
import { basic, bearer, header, path } from './token.ts';

/** Who may start something. */
export const SOURCES = {
  github,
  gitlab,
  bitbucket,
  gitea,
  stripe,
  slack,
  shopify,
  pagerduty,
  'standard-webhooks': standardWebhooks,
  hmac,
  bearer,
  basic,
  header,
  path,
} as const satisfies Record<SenderName, Source>;

/** Headers in which senders put secrets, in small letters: no expression sees them. */
export const SECRET_HEADERS: readonly string[] = [
  'authorization',
  'proxy-authorization',
  'cookie',
  ...Object.values<Source>(SOURCES).flatMap(({ secretHeaders = [] }) => secretHeaders),
];
