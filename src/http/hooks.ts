import type { Context, Middleware } from 'koa';
import { whyNotAdmitted } from '../controller/hooks/admits.ts';
import { toPressDelivery } from '../controller/hooks/press.ts';
import { readPayload } from '../controller/hooks/read-payload.ts';
import { toDelivery } from '../controller/hooks/to-delivery.ts';
import { toServerDeliveries } from '../controller/hooks/to-server-deliveries.ts';
import type { WaitForResult } from '../controller/hooks/results.ts';
import type { Run } from '../model/run.ts';
import type { Hooks, OpenHook } from '../controller/hooks/hooks.ts';
import type { Clock } from '../lib/clock.ts';
import type { Source } from '../sources/contract.ts';
import type { IncomingDelivery } from '../store/inbox.ts';
import { SOURCES } from '../sources/index.ts';
import type { ClientCertificate } from './client-certificate.ts';
import { clientOf, type Client } from './client-address.ts';
import type { HookRefusals } from './hook-refusals.ts';
import { isOver } from './linger.ts';
import type { Metrics } from './metrics.ts';
import { ProblemError } from './problem.ts';
import { createRateLimit } from './rate-limit.ts';
import type { ReadBody } from './read-body.ts';
import { codeOf, refuseOver, type Refusals } from './refusals.ts';
import type { TakeIn } from './take-in.ts';

const PATH = /^\/webhooks\/v1\/hooks\/([a-z0-9-]{1,64})(?:\/([\w.~-]{1,200}))?$/;

/** Headers in which senders put secrets: no expression sees them. */
const SECRET_HEADERS = ['authorization', 'proxy-authorization', 'cookie', 'x-gitlab-token'];

/**
 * `POST /webhooks/v1/hooks/:id`: as GitHub's route, for any sender. What the request's line and headers say is checked before
 * the body is read, the body before it is parsed; of what fails nothing is stored, and the log has the reason.
 */
export function hookRoute(deps: {
  hooks: Hooks;
  readBody: ReadBody;
  takeIn: TakeIn;
  clock: Clock;
  metrics: Metrics;
  refusals: Refusals;
  hookRefusals: HookRefusals;
  waitForResult: WaitForResult;
  /** Whose `X-Forwarded-For` counts. */
  isProxy: (address: string) => boolean;
  clientCertificate: ClientCertificate;
}): Middleware {
  const limits = createRateLimit(deps.clock);
  return async (ctx, next) => {
    const [, id, token = ''] = PATH.exec(ctx.path) ?? [];
    if (id === undefined) return await next();
    const client = clientOf(ctx.req, deps.isProxy);
    let open: OpenHook | undefined;
    try {
      deps.refusals.check(() => client);
      open = await deps.hooks.find(id);
      if (open === undefined) {
        throw new ProblemError(404, 'hook-unknown', 'there is no such hook');
      }
      await receive(ctx, id, open, token, client);
    } catch (error) {
      deps.refusals.note(client, { hook: id }, error);
      if (open !== undefined) deps.hookRefusals.note(id, codeOf(error));
      if (isOver(ctx.req)) ctx.set('Connection', 'close');
      throw error;
    }
  };

  async function receive(
    ctx: Context,
    id: string,
    open: OpenHook,
    token: string,
    client: Client,
  ): Promise<void> {
    const contentType = checkRequest(ctx, open, client);
    const { clientCertificate: wanted } = open.hook;
    const why = wanted && whyNotAdmitted(wanted, deps.clientCertificate(ctx.req));
    if (why !== undefined) throw new ProblemError(403, 'certificate-refused', why);
    const { rate } = open.hook;
    if (rate !== undefined) {
      refuseOver(limits.wait(`hook ${id}`, rate), 'the hook takes no more requests for now');
    }
    const now = deps.clock.now();
    const incoming = { header: (name: string) => ctx.get(name), token };
    const check = open.verify(incoming, now);
    const bytes = await deps.readBody(ctx.req, check);
    // Only now: who has no secret must not use up what who has it may send.
    if (rate !== undefined) limits.take(`hook ${id}`, rate);
    const { body, text } = readPayload(bytes, contentType);
    const { handshake }: Source = SOURCES[open.hook.sender];
    const greeting = handshake?.(body);
    if (greeting !== undefined) {
      ctx.status = 200;
      ctx.type = 'text/plain';
      ctx.body = greeting;
      return;
    }
    const identity = SOURCES[open.hook.sender].identify(incoming, body);
    const context = { body, headers: headersOf(ctx, open), query: queryOf(ctx) };
    const { signed } = check;
    const request = { context, text, bytes, identity, signed, now };
    const { server, people } = open.hook;
    if (people !== undefined) {
      await takeIn(toPressDelivery(open.hook, request));
      // Slack shows an error to who pressed for any other answer, and for none within three seconds.
      ctx.status = 200;
      ctx.body = '';
      return;
    }
    if (server !== undefined) {
      const found = toServerDeliveries(open.hook, server, request);
      const [first, ...others] = await Promise.all(found.map(takeIn));
      ctx.status = 202;
      ctx.body = others.length === 0 ? first : { ...first, others };
      return;
    }
    const delivery = toDelivery(open, request);
    const taken = await takeIn(delivery);
    ctx.status = 202;
    ctx.body = taken;
    if (open.hook.waitMs === 0) return;
    const result = await deps.waitForResult(delivery.id, open.hook.waitMs, endOf(ctx));
    if (result.isOver) ctx.status = 200;
    ctx.body = { ...taken, runs: result.runs.map(toResult) };
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
function endOf(ctx: Context): AbortSignal {
  const gone = new AbortController();
  ctx.res.once('close', () => gone.abort());
  const stopping: unknown = ctx.state['stopping'];
  return stopping instanceof AbortSignal ? AbortSignal.any([gone.signal, stopping]) : gone.signal;
}

function toResult({ id, spec, state, reason, outputs }: Run) {
  return { run: id, spec, state, reason, outputs, path: `runs/${id}` };
}

/** The content type. Throws ProblemError 403, 405, 415. */
function checkRequest(ctx: Context, { hook, allows }: OpenHook, { address }: Client): string {
  if (!allows(address)) {
    throw new ProblemError(403, 'address-refused', 'the hook takes no requests from this address');
  }
  if (!hook.methods.includes(ctx.method)) {
    const allowed = hook.methods.join(', ');
    throw new ProblemError(405, 'method-not-allowed', `the hook takes ${allowed}`, {
      headers: { Allow: allowed },
    });
  }
  if (ctx.method === 'GET') return 'text/plain';
  const type = ctx.get('Content-Type').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (hook.contentTypes.includes(type)) return type;
  throw new ProblemError(
    415,
    'unsupported-content-type',
    `the content type is none of ${hook.contentTypes.join(', ')}`,
  );
}

function headersOf({ headers }: Context, { hook }: OpenHook): Record<string, string> {
  const secret = new Set([...SECRET_HEADERS, hook.options.header?.toLowerCase()]);
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || secret.has(name) ? [] : [[name, [value].flat().join(', ')]],
    ),
  );
}

/** The first value of each parameter. */
function queryOf({ querystring }: Context): Record<string, string> {
  const parameters = [...new URLSearchParams(querystring)].slice(0, 100);
  return Object.fromEntries(parameters.toReversed());
}
