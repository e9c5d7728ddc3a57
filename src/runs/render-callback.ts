import type { Message } from '../callbacks/contract.ts';
import { kindOf } from '../callbacks/index.ts';
import type { TraceTarget } from '../callbacks/trace.ts';
import { MainsheetError } from '../lib/errors.ts';
import type { GitServers } from '../lib/servers.ts';
import type { OutboxEntry } from '../store/outbox.ts';
import type { Store } from '../store/index.ts';
import { createNotifyContext } from './notify-context.ts';
import type { SpecReader } from './snapshot.ts';

/** Makes the message of an outbox entry. Throws TerminalError when it can never be sent. */
export type Render = (entry: OutboxEntry) => Promise<Message>;

export function createRender(deps: {
  store: Store;
  specOf: SpecReader;
  secret: (name: string) => string | undefined;
  publicUrl: string | undefined;
  /** Where the spans of runs go. */
  traces?: TraceTarget | undefined;
  /** The mail server without user and password. */
  smtp?: { address: string } | undefined;
  /** Git servers beside GitHub; default none. */
  servers?: GitServers;
}): Render {
  const { store, specOf, publicUrl, traces, smtp, servers = new Map() } = deps;

  function secret(name: string): string {
    const value = deps.secret(name);
    if (value !== undefined) return value;
    throw new MainsheetError('secret-missing', `no value is set for the secret ${name}`);
  }

  const notify = createNotifyContext({ store, specOf, secret });
  const sources = { store, publicUrl, traces, smtp, servers, notify, secret };
  return (entry) => kindOf(entry.callback).render(entry.callback, entry, sources);
}
