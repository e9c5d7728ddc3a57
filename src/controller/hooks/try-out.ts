import type { Clock } from '../../lib/clock.ts';
import { describeError, TerminalError } from '../../lib/errors.ts';
import type { Json } from '../../model/event.ts';
import { inputsOf } from '../../model/hook.ts';
import type { DeliveryOutcome } from '../../model/delivery.ts';
import { toEvent } from '../../sources/events.ts';
import { failed } from '../../model/verdict.ts';
import type { Source } from '../../sources/contract.ts';
import { SOURCES } from '../../sources/index.ts';
import type { Catalog } from '../../spec/catalog.ts';
import { ROLLBACK } from '../../spec/match-hook.ts';
import { whyNotAgain } from '../operator/hook-rollback.ts';
import type { Tables } from '../../store/index.ts';
import { judgedBy, recognizeHook, type Judged, type Recognized } from '../intake/judge.ts';
import { toPressDelivery } from './press.ts';
import { readPayload, takesOnly, TYPE_OF_GET } from './read-payload.ts';
import type { Hooks } from './hooks.ts';
import { toDelivery } from './to-delivery.ts';
import { toServerDeliveries } from './to-server-deliveries.ts';

/** A request that has not been sent. */
export interface TriedRequest {
  /** Default: the first that the hook takes. */
  method?: string | undefined;
  body: string;
  contentType: string;
  headers: Record<string, string>;
  query: Record<string, string>;
}

/** What would come of it. */
export interface Trial {
  /** Why its method or the check of the signature or token would refuse it; undefined when they would not. A secret in the path is not checked. */
  refused: string | undefined;
  /** The id that it would have; empty for a request that is only answered. */
  delivery: string;
  inputs: { [name: string]: Json };
  specs: Pick<DeliveryOutcome['specs'][number], 'spec' | 'verdict'>[];
}

/** Says what a request to a hook would start. Stores nothing and asks git nothing. Throws TerminalError as the request would. */
export type TryHook = (id: string, request: TriedRequest) => Promise<Trial>;

export function createTryHook(deps: {
  hooks: Pick<Hooks, 'find'>;
  catalog: Pick<Catalog, 'forHook' | 'forRepository' | 'hook'>;
  clock: Pick<Clock, 'now'>;
  store: Pick<Tables, 'audit' | 'environments' | 'inbox' | 'runs'>;
}): TryHook {
  return async (id, request) => {
    const open = await deps.hooks.find(id);
    if (open === undefined) throw new TerminalError('hook-unknown', `there is no hook ${id}`);
    const now = deps.clock.now();
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name.toLowerCase(), value]),
    );
    const incoming = { header: (name: string) => headers[name.toLowerCase()] ?? '', token: '' };
    const bytes = Buffer.from(request.body);
    const { methods } = open.hook;
    const method = request.method ?? methods[0];
    const { body, text } = readPayload(bytes, method === 'GET' ? TYPE_OF_GET : request.contentType);
    const sender: Source = SOURCES[open.hook.sender];
    const greeting = sender.handshake?.(body);
    if (greeting !== undefined) {
      const verdict = failed('hook', `the sender is answered "${greeting}", and nothing starts`);
      const specs = deps.catalog.forHook(open.hook.id);
      return {
        refused: await refusal(),
        delivery: '',
        inputs: {},
        specs: specs.map(({ spec: { name } }) => ({ spec: name, verdict })),
      };
    }
    const identity = sender.identify(incoming, body);
    const context = { body, headers, query: request.query };
    const read = { context, text, bytes, identity, signed: undefined, now };
    const { server, people } = open.hook;
    const ofPress = people === undefined ? [] : [toPressDelivery(open.hook, read)];
    // Of a push of several refs the first.
    const [delivery = toDelivery(open, read)] =
      server === undefined ? ofPress : toServerDeliveries(open.hook, server, read);
    const payload = JSON.parse(delivery.payload) as Json;
    const recognized =
      server === undefined
        ? recognizeHook(deps.catalog, open.hook.id, payload)
        : recognizePush(delivery.event, payload);
    const judged = await judgedBy(recognized, payload);
    return {
      refused: await refusal(),
      delivery: delivery.id,
      inputs: server === undefined ? inputsOf(payload) : {},
      specs: await started(delivery.id, judged),
    };

    /** What each spec says, and of what would start why it has been done already. */
    async function started(known: string, { verdicts }: Judged): Promise<Trial['specs']> {
      const isTaken = (await deps.store.inbox.get(known)) !== undefined;
      const specs: Trial['specs'] = [];
      for (const { loaded, verdict, rollback } of verdicts) {
        const spec = loaded.spec.name;
        const was = rollback === undefined ? undefined : await whyNotAgain(deps.store, spec);
        if (!verdict.matched) specs.push({ spec, verdict });
        else if (isTaken) {
          const why = `it was taken before, as the delivery ${known}, and counts once`;
          specs.push({ spec, verdict: failed('hook', why) });
        } else specs.push({ spec, verdict: was === undefined ? verdict : failed(ROLLBACK, was) });
      }
      return specs;
    }

    function recognizePush(event: string, pushed: Json): Recognized {
      const meant = toEvent(event, pushed);
      const { repository } = meant;
      const candidates = repository === undefined ? [] : deps.catalog.forRepository(repository);
      return { event: meant, candidates: [...candidates] };
    }

    async function refusal(): Promise<string | undefined> {
      if (method === undefined || !methods.includes(method)) return takesOnly(methods);
      // What is tried has no path.
      if (open?.hook.sender === 'path') return undefined;
      try {
        const check = open?.verify(incoming, now);
        return (await check?.whole(bytes)) === true ? undefined : check?.refusal().message;
      } catch (error) {
        return describeError(error);
      }
    }
  };
}
