import type { Source } from './contract.ts';
import { hmacCheck, required, signatureBytes, textAt, unsigned } from './signature.ts';

/** PagerDuty, which signs with each of its secrets: https://developer.pagerduty.com/docs/verifying-signatures */
export const pagerduty: Source = {
  verifier(secrets) {
    return ({ header }) => {
      const given = required(header('X-PagerDuty-Signature'), 'X-PagerDuty-Signature').split(',');
      const expected = given.flatMap((one) =>
        one.startsWith('v1=') ? (signatureBytes(one.slice(3), 'hex', 32) ?? []) : [],
      );
      if (expected.length === 0 || given.some((one) => !/^v\d+=\w+$/.test(one))) {
        throw unsigned('the header X-PagerDuty-Signature is malformed');
      }
      return hmacCheck({ algorithm: 'sha256', keys: secrets, expected });
    };
  },

  identify: (_request, body) => ({
    id: textAt(body, 'event', 'id'),
    type: textAt(body, 'event', 'event_type'),
  }),

  /** Sent by "Send Test Event": https://developer.pagerduty.com/docs/webhooks-overview#webhook-payload */
  handshake: (body) =>
    textAt(body, 'event', 'event_type') === 'pagey.ping'
      ? 'The hook works. A ping starts nothing.'
      : undefined,
};
