import { hintOf, MainsheetError, TerminalError } from '../lib/errors.ts';
import type { Message } from '../model/callback.ts';
import type { DeploymentSpec } from '../model/deployment-spec.ts';
import type { Json } from '../model/event.ts';
import type { Run } from '../model/run.ts';
import { renderJson, renderTemplate } from '../spec/expressions.ts';
import { renderUrl } from '../spec/render-url.ts';
import type { Store } from '../store/index.ts';
import type { OutboxEntry } from '../store/outbox.ts';
import { isoTime } from '../lib/clock.ts';
import { expressionContext } from './expression-context.ts';
import { outputsToSend } from './outputs.ts';
import type { SpecReader } from './snapshot.ts';

/**
 * Makes the message of an outbox entry: templates are rendered now and not when the entry was written, so that no secret
 * ever stands in a row. Throws TerminalError when it can never be sent.
 */
export type Render = (entry: OutboxEntry) => Promise<Message>;

export function createRender(deps: {
  store: Store;
  specOf: SpecReader;
  secret: (name: string) => string | undefined;
  publicUrl: string | undefined;
}): Render {
  const { store } = deps;

  return async ({ id, run: runId, callback, createdAt }) => {
    switch (callback.kind) {
      case 'status':
      case 'deployment':
        return callback;
      case 'deployment-status': {
        const deploymentId = await store.runs.deploymentId(runId);
        if (deploymentId === undefined) {
          throw new TerminalError(
            'deployment-unknown',
            'its Deployment was never created on GitHub',
          );
        }
        return { ...callback, deploymentId };
      }
      case 'dispatch': {
        const { notify, context, refused } = await contextOf(callback.run, callback.notify);
        if (notify.kind !== 'dispatch') throw mismatch();
        return unlessMasked(refused, () => ({
          kind: 'dispatch',
          repository: notify.repository,
          eventType: rendering(() => renderTemplate(notify.eventType, context)),
          payload: rendering(() => renderJson(notify.payload, context)) as Record<string, Json>,
        }));
      }
      case 'webhook': {
        const { notify, context, refused } = await contextOf(callback.run, callback.notify);
        if (notify.kind !== 'webhook') throw mismatch();
        return unlessMasked(refused, () => ({
          kind: 'webhook',
          // The same id for every attempt, so that the receiver can tell a repetition: https://www.standardwebhooks.com
          id: `msg_${callback.run.id}_${id}`,
          url: rendering(() => renderUrl(notify.url, context)),
          key: notify.secret === undefined ? undefined : requireSecret(notify.secret),
          sentAt: createdAt,
          body: webhookBody(callback.run, deps.publicUrl, createdAt),
        }));
      }
    }
  };

  async function contextOf(run: Run, position: number) {
    const spec = await deps.specOf(store, run.specDigest);
    const notify = spec.notify[position];
    if (notify === undefined) throw mismatch();
    const delivery = await store.inbox.get(run.delivery);
    // Of an old delivery only the row is kept.
    const text = delivery === undefined || delivery.payload === '' ? '{}' : delivery.payload;
    const event = JSON.parse(text) as Json;
    const secrets = Object.fromEntries(
      secretsUsed(spec).map((name) => [name, requireSecret(name)]),
    );
    const { outputs, refused } = outputsToSend(run);
    const context = { ...expressionContext({ ...run, outputs }, spec, event), outputs, secrets };
    return { notify, context, refused };
  }

  function requireSecret(name: string): string {
    const value = deps.secret(name);
    if (value !== undefined) return value;
    throw new MainsheetError('secret-missing', `no value is set for the secret ${name}`);
  }
}

/**
 * A secret only leaves Mainsheet where the spec names it, and a mark in its place would be a wrong value. Throws TerminalError
 * `output-masked` when what is made was to hold an output that is `refused`.
 */
function unlessMasked(refused: ReadonlySet<string>, make: () => Message): Message {
  let message: Message;
  try {
    message = make();
  } catch (error) {
    throw refused.size === 0 ? error : outputMasked(refused);
  }
  if (refused.size > 0) throw outputMasked(refused);
  return message;
}

function outputMasked(refused: ReadonlySet<string>): TerminalError {
  const names = [...refused].join(', ');
  return new TerminalError('output-masked', `not sent: there is a secret in the output ${names}`, {
    hint: 'where the receiver has to get it, name it in notify: ${{ secrets.NAME }}',
  });
}

function rendering<Rendered>(render: () => Rendered): Rendered {
  try {
    return render();
  } catch (cause) {
    const hint = hintOf(cause);
    throw new TerminalError('template-failed', 'a template in notify cannot be rendered', {
      cause,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

function secretsUsed(spec: DeploymentSpec): string[] {
  const text = JSON.stringify(spec.notify);
  return spec.secrets.filter((name) => text.includes(name));
}

function mismatch(): TerminalError {
  return new TerminalError('notify-missing', 'the spec has no such notify entry');
}

/** What a webhook receiver is told. */
function webhookBody(run: Run, publicUrl: string | undefined, at: number): Json {
  return {
    type: `run.${run.state}`,
    timestamp: isoTime(at),
    data: {
      run: run.id,
      spec: run.spec,
      environment: run.environment,
      repository: run.repository,
      ref: run.ref,
      sha: run.sha,
      state: run.state,
      reason: run.reason,
      url: publicUrl === undefined ? null : `${publicUrl}/runs/${run.id}`,
    },
  };
}
