import type { IncomingMessage, ServerResponse } from 'node:http';
import { whyNotAdmitted } from '../controller/hooks/admits.ts';
import { toPressDelivery } from '../controller/hooks/press.ts';
import { readPayload, takesOnly, TYPE_OF_GET } from '../controller/hooks/read-payload.ts';
import { toDelivery } from '../controller/hooks/to-delivery.ts';
import { toServerDeliveries } from '../controller/hooks/to-server-deliveries.ts';
import type { WaitForResult } from '../controller/hooks/results.ts';
import type { Run } from '../model/run.ts';
import type { Hooks, OpenHook } from '../controller/hooks/hooks.ts';
import type { Clock } from '../lib/clock.ts';
import { MainsheetError, withoutStack } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { senderOf } from '../lib/networks.ts';
import type { Source } from '../sources/contract.ts';
import type { IncomingDelivery } from '../store/inbox.ts';
import { SECRET_HEADERS, SOURCES } from '../sources/index.ts';
import { HOOK_HEADERS, keptHeaders } from '../sources/kept-headers.ts';
import type { ClientCertificate } from './client-certificate.ts';
import { clientOf, type Client } from './client-address.ts';
import type { HookRefusals } from './hook-refusals.ts';
import type { Metrics } from './metrics.ts';
import { headerOf, send, sendProblem } from './plain.ts';
import { ProblemError } from './problem.ts';
import { createRateLimit } from './rate-limit.ts';
import type { ReadBody } from './read-body.ts';
import { codeOf, refusalFor, type Refusals } from './refusals.ts';
import type { Stopping } from './stopping.ts';
import type { TakeIn } from './take-in.ts';

/** The hook's id, the token behind it, and the query; with an origin, too. */
const TARGET =
  /^(?:https?:\/\/(?:[\w.-]+|\[[\da-fA-F:.]+\])(?::\d+)?)?\/webhooks\/v1\/hooks\/([a-z0-9-]{1,64})(?:\/([\w.~-]{1,200}))?(?:\?([^#]*))?(?:#.*)?$/;

/** What a request's target says. */
interface Target {
  id: string;
  token: string;
  query: string;
}

/** What a hook is asked for; undefined when the target is of no hook. */
export function hookTarget(target: string | undefined): Target | undefined {
  const [, id, token = '', query = ''] = TARGET.exec(target ?? '') ?? [];
  return id === undefined ? undefined : { id, token, query };
}

/** What the log calls the target, which may have a secret in it. */
const PATH = '/webhooks/v1/hooks';

/** Answers a request to a hook. Never rejects. */
export type HookHandler = (
  target: Target,
  request: IncomingMessage,
  response: ServerResponse,
) => Promise<void>;

const UNKNOWN = withoutStack(() => new ProblemError(404, 'hook-unknown', 'there is no such hook'));

/** Most senders do not come again after 404. */
const UNREAD = withoutStack(
  () =>
    new ProblemError(503, 'specs-unread', 'Mainsheet has not read its hooks yet', {
      headers: { 'Retry-After': '10' },
    }),
);

interface Answer {
  status: number;
  body: object | string;
}

/**
 * `POST /webhooks/v1/hooks/:id`: as GitHub's route, for any sender. What the request's line and headers say is checked before
 * the body is read, the body before it is parsed; of what fails nothing is stored, and the log has the reason.
 */
export function createHookHandler(deps: {
  hooks: Hooks;
  readBody: ReadBody;
  takeIn: TakeIn;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  refusals: Refusals;
  hookRefusals: HookRefusals;
  waitForResult: WaitForResult;
  stopping: Pick<Stopping, 'turnAway' | 'signal'>;
  /** Whose `X-Forwarded-For` counts. */
  isProxy: (address: string) => boolean;
  clientCertificate: ClientCertificate;
}): HookHandler {
  const limits = createRateLimit(deps.clock);
  const limitsOfAddresses = createRateLimit(deps.clock);
  return async (target, request, response) => {
    const client = clientOf(request, deps.isProxy);
    let open: OpenHook | undefined;
    try {
      deps.stopping.turnAway();
      const tooMany = deps.refusals.check(() => client);
      if (tooMany !== undefined) return refuse(tooMany);
      open = await deps.hooks.find(target.id);
      if (open === undefined) return refuse(deps.hooks.areRead() ? UNKNOWN : UNREAD);
      const admitted = admit(target, open, request, client);
      if (admitted instanceof MainsheetError) return refuse(admitted);
      const { status, body } = await receive(target, open, request, response, admitted);
      send(response, status, body);
    } catch (error) {
      refuse(error);
    }

    function refuse(error: unknown): void {
      const code = codeOf(error);
      deps.refusals.note(client, { hook: target.id, ...whyUnsigned(code, open) }, error);
      if (open !== undefined) deps.hookRefusals.note(target.id, code);
      sendProblem(request, response, { error, path: PATH, logger: deps.logger });
    }
  };

  /** What only the log may say: senders are not told which secrets are set. */
  function whyUnsigned(code: string, open: OpenHook | undefined): { notSet?: string[] } {
    if (code !== 'bad-signature') return {};
    const notSet = open?.withoutValue(deps.clock.now()) ?? [];
    return notSet.length === 0 ? {} : { notSet };
  }

  /** What the request's line and headers say. What may come often is answered, since to throw it would take longer than all the rest. */
  function admit({ id, token }: Target, open: OpenHook, request: IncomingMessage, client: Client) {
    const contentType = checkRequest(request, open, client);
    const { clientCertificate: wanted } = open.hook;
    const why = wanted && whyNotAdmitted(wanted, deps.clientCertificate(request));
    if (why !== undefined) throw new ProblemError(403, 'certificate-refused', why);
    const { rate, ratePerAddress } = open.hook;
    const key = `${id} ${senderOf(client.address)}`;
    const tooMany =
      (rate && refusalFor(limits.wait(id, rate), 'the hook takes no more requests for now')) ??
      (ratePerAddress &&
        refusalFor(
          limitsOfAddresses.wait(key, ratePerAddress),
          'the hook takes no more requests from this address for now',
        ));
    if (tooMany !== undefined) return tooMany;
    const now = deps.clock.now();
    const incoming = { header: (name: string) => headerOf(request, name), token };
    const check = open.verify(incoming, now);
    return check.refusesAll ? check.refusal() : { contentType, now, incoming, check, key };
  }

  async function receive(
    { id, query }: Target,
    open: OpenHook,
    request: IncomingMessage,
    response: ServerResponse,
    { contentType, now, incoming, check, key }: Exclude<ReturnType<typeof admit>, MainsheetError>,
  ): Promise<Answer> {
    const bytes = await deps.readBody(request, check);
    // Only now: who has no secret must not use up what who has it may send.
    const { rate, ratePerAddress } = open.hook;
    if (rate !== undefined) limits.take(id, rate);
    if (ratePerAddress !== undefined) limitsOfAddresses.take(key, ratePerAddress);
    const { body, text } = readPayload(bytes, contentType);
    const { handshake }: Source = SOURCES[open.hook.sender];
    const greeting = handshake?.(body);
    if (greeting !== undefined) return { status: 200, body: greeting };
    const identity = SOURCES[open.hook.sender].identify(incoming, body);
    const context = { body, headers: headersOf(request, open), query: parametersOf(query) };
    const { signed } = check;
    const verified = { context, text, bytes, identity, signed, now };
    const kept = keptHeaders(HOOK_HEADERS, (name) => context.headers[name.toLowerCase()] ?? '');
    const take = (delivery: IncomingDelivery) => takeIn({ ...delivery, headers: kept });
    const { server, people } = open.hook;
    if (people !== undefined) {
      await take(toPressDelivery(open.hook, verified));
      // Slack shows an error to who pressed for any other answer, and for none within three seconds.
      return { status: 200, body: '' };
    }
    if (server !== undefined) {
      const found = toServerDeliveries(open.hook, server, verified);
      const [first, ...others] = await Promise.all(found.map(take));
      return { status: 202, body: { ...first, ...(others.length === 0 ? {} : { others }) } };
    }
    const delivery = toDelivery(open, verified);
    const taken = await take(delivery);
    if (open.hook.waitMs === 0) return { status: 202, body: taken };
    const end = endOf(response, deps.stopping.signal);
    const { isOver, runs } = await deps.waitForResult(delivery.id, open.hook.waitMs, end);
    return { status: isOver ? 200 : 202, body: { ...taken, runs: runs.map(toResult) } };
  }

  /** What is answered when it is stored. */
  async function takeIn(delivery: IncomingDelivery): Promise<object> {
    const { isNew, copyOf } = await deps.takeIn(delivery);
    deps.metrics.deliveries.inc({ event: 'hook', result: isNew ? 'accepted' : 'duplicate' });
    return {
      delivery: delivery.id,
      duplicate: !isNew,
      ...(copyOf === undefined ? {} : { copyOf }),
    };
  }
}

/** Aborts when the sender has hung up, or Mainsheet is to end. */
function endOf(response: ServerResponse, stopping: AbortSignal): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return AbortSignal.any([gone.signal, stopping]);
}

function toResult({ id, spec, state, reason, outputs }: Run) {
  return { run: id, spec, state, reason, outputs, path: `runs/${id}` };
}

/** The content type. Throws ProblemError 403, 405, 415. */
function checkRequest(
  request: IncomingMessage,
  { hook, allows }: OpenHook,
  { address }: Client,
): string {
  if (!allows(address)) {
    throw new ProblemError(403, 'address-refused', 'the hook takes no requests from this address');
  }
  const { method = '' } = request;
  if (!hook.methods.includes(method)) {
    throw new ProblemError(405, 'method-not-allowed', takesOnly(hook.methods), {
      headers: { Allow: hook.methods.join(', ') },
    });
  }
  if (method === 'GET') return TYPE_OF_GET;
  const type = headerOf(request, 'Content-Type').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (hook.contentTypes.includes(type)) return type;
  throw new ProblemError(
    415,
    'unsupported-content-type',
    `the content type is none of ${hook.contentTypes.join(', ')}`,
  );
}

function headersOf({ headers }: IncomingMessage, { hook }: OpenHook): Record<string, string> {
  const secret = new Set([...SECRET_HEADERS, hook.options.header?.toLowerCase()]);
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || secret.has(name) ? [] : [[name, [value].flat().join(', ')]],
    ),
  );
}

/** The first value of each parameter. */
function parametersOf(query: string): Record<string, string> {
  const parameters = [...new URLSearchParams(query)].slice(0, 100);
  return Object.fromEntries(parameters.toReversed());
}
