import type { Source } from './contract.ts';
import { checkTime, hmacCheck, required, signatureBytes, textAt, unsigned } from './signature.ts';

const PAST_MS = 300_000;
const FUTURE_MS = 0;

/** Stripe: https://docs.stripe.com/webhooks#verify-manually */
export const stripe: Source = {
  verifier(secrets) {
    return ({ header }, now) => {
      const given = required(header('Stripe-Signature'), 'Stripe-Signature');
      const pairs = given
        .split(',')
        .map((part) => /^(\w+)=(\w+)$/.exec(part)?.slice(1) ?? ['', '']);
      const values = (key: string) =>
        pairs.flatMap(([name, value]) => (name === key ? [value] : []));
      const [time = '', ...others] = values('t');
      const expected = values('v1').flatMap((one) => signatureBytes(one ?? '', 'hex', 32) ?? []);
      if (others.length > 0 || expected.length === 0 || pairs.some(([name]) => name === '')) {
        throw unsigned('the header Stripe-Signature is malformed');
      }
      checkTime(time, now, PAST_MS, FUTURE_MS);
      return hmacCheck({ algorithm: 'sha256', keys: secrets, before: `${time}.`, expected });
    };
  },

  identify: (_request, body) => ({ id: textAt(body, 'id'), type: textAt(body, 'type') }),
};
