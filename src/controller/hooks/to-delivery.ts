import { createHash } from 'node:crypto';
import { newId } from '../../lib/ids.ts';
import type { Json } from '../../model/event.ts';
import { hookEventName, type HookPayload } from '../../model/hook.ts';
import type { Identity } from '../../sources/contract.ts';
import type { IncomingDelivery } from '../../store/inbox.ts';
import type { OpenHook } from './hooks.ts';
import {
  callbackUrl,
  checkInputs,
  dedupeId,
  extractInputs,
  type RequestContext,
} from './extract.ts';

/** A request to a hook that was verified. */
export interface VerifiedRequest {
  context: RequestContext;
  /** The JSON text of the body. */
  text: string;
  bytes: Buffer;
  identity: Identity;
  /** What is signed besides the body (`BodyCheck`). */
  signed: string | undefined;
  now: number;
}

/** What is stored of a request, and what it is known by when it comes again. Throws TerminalError `bad-inputs`. Pure but for ids. */
export function toDelivery(
  { hook, dynamic }: Pick<OpenHook, 'hook' | 'dynamic'>,
  request: VerifiedRequest,
): IncomingDelivery {
  const { context, text, bytes, identity, signed, now } = request;
  const name = dedupeId(hook, context) ?? identity.id;
  const type =
    identity.type !== undefined && /^[\w.:/ -]{1,100}$/.test(identity.type) ? identity.type : null;
  const fixed = dynamic?.inputs ?? {};
  const inputs = { ...extractInputs(hook, context, fixed), ...fixed };
  checkInputs(hook, inputs);
  const url = callbackUrl(hook, context);
  const via =
    dynamic === undefined
      ? {}
      : { dynamic: { id: dynamic.id, owner: dynamic.owner, specs: dynamic.specs } };
  const id = dynamic?.id ?? hook.id;
  const digest = createHash('sha256')
    .update(`${hookEventName(id)}\n${signed}\n`)
    .update(bytes);
  return {
    id: `${id}.${name === undefined ? newId(now) : inId(name)}`,
    event: hookEventName(hook.id),
    action: type ?? undefined,
    repository: undefined,
    queue: hookEventName(id),
    payload: payloadText({ hook: hook.id, ...via, type, inputs }, text),
    receivedAt: now,
    ...(url === undefined ? {} : { callback: JSON.stringify({ ...hook.callback, url }) }),
    ...(signed === undefined ? {} : { digest: digest.digest('base64url') }),
  };
}

/** The body's text as it came: to read it and to write it again would change numbers that are large. */
function payloadText(
  known: Omit<HookPayload, 'body'> & { [key: string]: Json },
  body: string,
): string {
  return `${JSON.stringify(known).slice(0, -1)},"body":${body}}`;
}

/** A sender's id within ours, which stand in paths. */
export function inId(name: string): string {
  if (/^[\w-]{1,100}$/.test(name)) return name;
  return `sha256-${createHash('sha256').update(name).digest('hex')}`;
}
