import { TerminalError, withoutStack } from '../../lib/errors.ts';
import { isOwnId } from '../../model/delivery.ts';
import type { Event, Json } from '../../model/event.ts';
import type { Incoming, Source, Verify } from '../contract.ts';
import { textAt } from '../signature.ts';
import { describePayload } from './describe-delivery.ts';
import { whyAnotherEvent } from './event-shape.ts';
import { parseEvent } from './events.ts';
import { createSignatureChecks } from './verify.ts';

const EVENT = /^[a-z0-9_]{1,100}$/;
const DELIVERY = /^[\w-]{1,100}$/;

/** GitHub tells of repositories, and so has events with a meaning of their own. */
interface GitHubSource extends Source {
  verifier(secrets: readonly string[]): Verify;
  /** Throws TerminalError `header-missing`. */
  readHeaders(request: Incoming): { id: string; event: string };
  /**
   * What people know a delivery by in a list. Throws TerminalError `event-mismatch` when the payload, which is signed, is not of
   * the event that the headers, which are not, say.
   */
  describe(
    event: string,
    payload: Json,
  ): { event: string; action: string | undefined; repository: string | undefined };
  /** What a delivery means. Never throws: what cannot be read is `other`, with the reason. */
  toEvent(name: string, payload: Json): Event;
}

/** GitHub: https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers */
export const github: GitHubSource = {
  verifier(secrets) {
    const checkOf = createSignatureChecks(secrets);
    return ({ header }) => {
      const signature = header('X-Hub-Signature-256');
      if (signature === '') throw unsigned('the header X-Hub-Signature-256 is missing');
      const check = checkOf(signature);
      if (check === undefined) throw unsigned('the header X-Hub-Signature-256 is malformed');
      return {
        ...check,
        signed: '',
        refusal: () => unsigned('the signature does not match the body and any webhook secret'),
      };
    };
  },

  identify: ({ header }) => ({
    id: header('X-GitHub-Delivery') || undefined,
    type: header('X-GitHub-Event') || undefined,
  }),

  /** Sent when a webhook is made, whatever it is for: https://docs.github.com/en/webhooks/webhook-events-and-payloads#ping */
  handshake: (body) =>
    textAt(body, 'zen') === undefined || textAt(body, 'hook', 'type') === undefined
      ? undefined
      : 'The hook works. A ping starts nothing.',

  readHeaders({ header }) {
    const event = named(header('X-GitHub-Event'), 'X-GitHub-Event', EVENT);
    const id = named(header('X-GitHub-Delivery'), 'X-GitHub-Delivery', DELIVERY);
    if (isOwnId(id)) throw malformed('X-GitHub-Delivery');
    return { id, event };
  },

  describe(event, payload) {
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
  const hint = "GITHUB_WEBHOOK_SECRET must be the secret in the webhook's settings on GitHub";
  return withoutStack(() => new TerminalError('bad-signature', detail, { hint }));
}
