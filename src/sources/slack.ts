import type { Source } from './contract.ts';
import { checkTime, hmacCheck, required, signatureBytes, textAt, unsigned } from './signature.ts';

const TOLERANCE_MS = 300_000;

/** Slack: https://docs.slack.dev/authentication/verifying-requests-from-slack */
export const slack: Source = {
  verifier(secrets) {
    return ({ header }, now) => {
      const given = required(header('X-Slack-Signature'), 'X-Slack-Signature');
      const time = required(header('X-Slack-Request-Timestamp'), 'X-Slack-Request-Timestamp');
      const signature = /^v0=(\w+)$/.exec(given)?.[1] ?? '';
      const bytes = signatureBytes(signature, 'hex', 32);
      if (bytes === undefined) throw unsigned('the header X-Slack-Signature is malformed');
      checkTime(time, now, TOLERANCE_MS, TOLERANCE_MS);
      const before = `v0:${time}:`;
      return hmacCheck({ algorithm: 'sha256', keys: secrets, before, expected: [bytes] });
    };
  },

  identify: (_request, body) => ({
    id: textAt(body, 'event_id'),
    type: textAt(body, 'event', 'type') ?? textAt(body, 'command') ?? textAt(body, 'type'),
  }),

  /** Asked once, when a URL is set for the Events API: https://docs.slack.dev/reference/events/url_verification */
  handshake: (body) =>
    textAt(body, 'type') === 'url_verification' ? textAt(body, 'challenge') : undefined,
};
