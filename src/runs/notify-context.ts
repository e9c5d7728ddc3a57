import type { NotifyContext } from '../callbacks/contract.ts';
import { TerminalError } from '../lib/errors.ts';
import type { DeploymentSpec } from '../model/deployment-spec.ts';
import type { Json } from '../model/event.ts';
import type { Run } from '../model/run.ts';
import type { Store } from '../store/index.ts';
import { expressionContext } from './expression-context.ts';
import { outputsToSend } from './outputs.ts';
import type { SpecReader } from './snapshot.ts';

/**
 * What the templates of a notification may speak of. They are rendered when it is sent and not when it was put into the outbox, so
 * that no secret ever stands in a row. `secret` throws when it has no value.
 */
export function createNotifyContext(deps: {
  store: Store;
  specOf: SpecReader;
  secret: (name: string) => string;
}): (run: Run, position: number) => Promise<NotifyContext> {
  const { store, secret } = deps;

  return async (run, position) => {
    const spec = await deps.specOf(store, run.specDigest);
    const notify = spec.notify[position];
    if (notify === undefined) {
      throw new TerminalError('notify-missing', 'the spec has no such notify entry');
    }
    const delivery = await store.inbox.get(run.delivery);
    // Of an old delivery only the row is kept.
    const text = delivery === undefined || delivery.payload === '' ? '{}' : delivery.payload;
    const event = JSON.parse(text) as Json;
    const secrets = Object.fromEntries(secretsUsed(spec).map((name) => [name, secret(name)]));
    const { outputs, refused } = outputsToSend(run);
    const context = { ...expressionContext({ ...run, outputs }, spec, event), outputs, secrets };
    return { notify, context, refused };
  };
}

function secretsUsed(spec: DeploymentSpec): string[] {
  const text = JSON.stringify(spec.notify);
  return spec.secrets.filter((name) => text.includes(name));
}
