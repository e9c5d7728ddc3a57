import { bodyHmac } from './body-hmac.ts';

/** Shopify: https://shopify.dev/docs/apps/build/webhooks/subscribe/https */
export const shopify = bodyHmac({
  headers: ['X-Shopify-Hmac-SHA256'],
  encoding: 'base64',
  id: ['X-Shopify-Webhook-Id'],
  type: ['X-Shopify-Topic'],
});
