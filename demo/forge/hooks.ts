import { isJsonObject, parseJson, textAt, type JsonObject } from '../json.ts';
import { idOf, notFound, type ForgeFacts, type OperationHandler } from './operations.ts';
import { HOOK_ID, type Delivery, type Hook } from './webhooks.ts';

/** Delivery numbers start here: GitHub's are long, and none is to be taken for a place in a list. */
const FIRST_NUMBER = 170_000_000_000;

/**
 * What GitHub tells of a webhook and of what it delivered, successful or not:
 * https://docs.github.com/en/rest/apps/webhooks and https://docs.github.com/en/rest/repos/webhooks
 */
export function createHooks(
  facts: Pick<ForgeFacts, 'url'>,
  webhooks: {
    deliveries: () => readonly Delivery[];
    receiver: () => Hook | undefined;
    hook: (hook: Hook) => void;
  },
): Record<string, OperationHandler> {
  const items = (repository?: string) =>
    webhooks
      .deliveries()
      .map((delivery, index) => describe(delivery, FIRST_NUMBER + index))
      .filter((item) => repository === undefined || item.repository === repository)
      .toReversed();

  const listed = (repository?: string) =>
    ({
      status: 200,
      list: items(repository).map(({ summary }) => summary),
      paging: 'cursor',
    }) as const;

  const one = (number: string | undefined, repository?: string) => {
    const found = items(repository).find(({ summary }) => idOf(summary) === number);
    if (found === undefined) return notFound();
    const { delivery, summary } = found;
    return {
      status: 200,
      body: {
        ...summary,
        url: webhooks.receiver()?.url ?? '',
        request: { headers: { 'X-GitHub-Event': delivery.event }, payload: found.payload },
        response: { headers: {}, payload: delivery.answer },
      },
    };
  };

  /** A forge has one webhook, so this is the one from now on. */
  const set: OperationHandler = ({ repository, params, body }) => {
    const config = objectIn(body, 'config');
    const events = Array.isArray(body['events']) ? body['events'].map(String) : ['push'];
    const hook = { url: textAt(config, 'url'), secret: textAt(config, 'secret'), events };
    webhooks.hook(hook);
    const status = params['hook_id'] === undefined ? 201 : 200;
    return { status, body: describeHook(facts.url, repository, hook) };
  };

  return {
    'repos/create-webhook': set,
    'repos/update-webhook': set,
    'apps/list-webhook-deliveries': () => listed(),
    'apps/get-webhook-delivery': ({ params }) => one(params['delivery_id']),
    'repos/list-webhooks': ({ repository }) => {
      const hook = webhooks.receiver();
      const list = hook === undefined ? [] : [describeHook(facts.url, repository, hook)];
      return { status: 200, list };
    },
    'repos/list-webhook-deliveries': ({ repository, params }) =>
      params['hook_id'] === String(HOOK_ID) ? listed(repository) : notFound(),
    'repos/get-webhook-delivery': ({ repository, params }) =>
      params['hook_id'] === String(HOOK_ID) ? one(params['delivery_id'], repository) : notFound(),
  };
}

function describe(delivery: Delivery, number: number) {
  const parsed = readBody(delivery.body);
  const payload = isJsonObject(parsed) ? parsed : null;
  const repository = objectIn(payload, 'repository');
  const installation = objectIn(payload, 'installation');
  const action = payload === null ? '' : textAt(payload, 'action');
  const summary: JsonObject = {
    id: number,
    guid: delivery.id,
    delivered_at: new Date(delivery.at).toISOString(),
    redelivery: delivery.redelivery,
    duration: delivery.tookMs / 1000,
    status: delivery.status === 0 ? 'failed to connect' : String(delivery.status),
    status_code: delivery.status === 0 ? 502 : delivery.status,
    event: delivery.event,
    action: action === '' ? null : action,
    installation_id: installation['id'] ?? null,
    repository_id: repository['id'] ?? null,
  };
  return { delivery, payload, repository: textAt(repository, 'full_name'), summary };
}

function objectIn(payload: JsonObject | null, key: string): JsonObject {
  const value = payload?.[key];
  return isJsonObject(value) ? value : {};
}

/** The JSON of a body, whichever content type it went out with; null when it is none. */
function readBody(body: string) {
  try {
    return parseJson(
      body.startsWith('payload=') ? (new URLSearchParams(body).get('payload') ?? '') : body,
    );
  } catch {
    return null;
  }
}

function describeHook(url: string, repository: string, hook: Hook): JsonObject {
  const address = `${url}/repos/${repository}/hooks/${HOOK_ID}`;
  const at = new Date(0).toISOString();
  return {
    type: 'Repository',
    id: HOOK_ID,
    name: 'web',
    active: true,
    events: [...(hook.events ?? ['push', 'release', 'workflow_run'])],
    config: {
      url: hook.publicUrl ?? hook.url,
      content_type: 'json',
      insecure_ssl: '0',
      secret: '********',
    },
    updated_at: at,
    created_at: at,
    url: address,
    test_url: `${address}/test`,
    ping_url: `${address}/pings`,
    deliveries_url: `${address}/deliveries`,
    last_response: { code: null, status: 'unused', message: null },
  };
}
