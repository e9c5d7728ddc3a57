import { TerminalError } from '../../lib/errors.ts';
import { isOwnId } from '../../model/delivery.ts';
import type { Source } from '../contract.ts';
import { describePayload } from './describe-delivery.ts';
import { whyAnotherEvent } from './event-shape.ts';
import { parseEvent } from './events.ts';
import { createSignatureChecks } from './verify.ts';

const EVENT = /^[a-z0-9_]{1,100}$/;
const DELIVERY = /^[\w-]{1,100}$/;

/** GitHub: https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers */
export const github: Source = {
  verifier(secrets) {
    const checkOf = createSignatureChecks(secrets);
    return ({ header }) => {
      const signature = header('X-Hub-Signature-256');
      if (signature === '') throw unsigned('the header X-Hub-Signature-256 is missing');
      const check = checkOf(signature);
      if (check === undefined) throw unsigned('the header X-Hub-Signature-256 is malformed');
      return {
        ...check,
        refusal: () => unsigned('the signature does not match the body and any webhook secret'),
      };
    };
  },

  identify({ header }) {
    const event = named(header('X-GitHub-Event'), 'X-GitHub-Event', EVENT);
    const id = named(header('X-GitHub-Delivery'), 'X-GitHub-Delivery', DELIVERY);
    if (isOwnId(id)) throw malformed('X-GitHub-Delivery');
    return { id, event };
  },

  // The event's name is a header, which is not signed: it must not decide how the body is read.
  describe({ event }, payload) {
    const mismatch = whyAnotherEvent(event, payload);
    if (mismatch === undefined) return { event, ...describePayload(event, payload) };
    throw new TerminalError('event-mismatch', mismatch, {
      hint: 'X-GitHub-Event must name the event that GitHub made the body for',
    });
  },

  toEvent: parseEvent,
};

function named(value: string, name: string, pattern: RegExp): string {
  if (pattern.test(value)) return value;
  if (value !== '') throw malformed(name);
  throw new TerminalError('header-missing', `the header ${name} is missing`);
}

function malformed(name: string): TerminalError {
  return new TerminalError('header-missing', `the header ${name} is malformed`);
}

function unsigned(detail: string): TerminalError {
  return new TerminalError('bad-signature', detail, {
    hint: "GITHUB_WEBHOOK_SECRET must be the secret in the webhook's settings on GitHub",
  });
}
