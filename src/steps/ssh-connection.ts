import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect as dial, type Socket } from 'node:net';
import type { Algorithms, Client, ClientChannel, ServerHostKeyAlgorithm } from 'ssh2';
import { describeError, hintOf } from '../lib/errors.ts';
import type { HostKey, SshStepSpec } from '../spec/steps/ssh.ts';
import type { StepContext } from './contract.ts';
import { COMMAND } from './ssh-program.ts';
import type { Targets } from './targets.ts';

/** From the first packet to being let in. */
const LOGIN_MS = 30_000;
/** A machine that answers nothing for four of these is gone. */
const KEEPALIVE_MS = 15_000;
const RSA = ['rsa-sha2-512', 'rsa-sha2-256'] as const;

/** Why there is no connection, or no answer; its message is for people. */
export class SshError extends Error {
  override readonly name = 'SshError';
}

/** A shell that has read nothing yet. */
export interface Shell {
  channel: ClientChannel;
  /** How it ended, which may be before anything is read: `code` is undefined until then, null after a signal. */
  ended: { code: number | null | undefined; signal: string | null };
  /** Resolves when it has ended. */
  exited: Promise<void>;
  /** Resolves when nothing more comes from it, also because the connection broke. */
  closed: Promise<void>;
}

/** Logged in, with a shell. */
export interface Connection extends Shell, Disposable {
  client: Client;
}

/** Connects to a machine that shows a key of the spec. Throws SshError, and TerminalError for an address that is not asked. */
export async function logIn(
  targets: Targets,
  { step, secrets }: StepContext<SshStepSpec>,
  signal: AbortSignal,
): Promise<Connection> {
  // It is needed by few, and takes its time to load.
  const { Client: SshClient, utils } = (await import('ssh2')).default;
  const privateKey = `${(secrets[step.key] ?? '').trim()}\n`;
  const parsed = utils.parseKey(privateKey);
  if (parsed instanceof Error) {
    throw new SshError(`the secret ${step.key} cannot be used as a key: ${parsed.message}`);
  }
  const socket = await openSocket(targets, step, signal);
  const client = new SshClient();
  const stop = () => socket.destroy();
  signal.addEventListener('abort', stop, { once: true });
  let wrong: SshError | undefined;
  try {
    const shell = await new Promise<Shell>((resolve, reject) => {
      client.on('ready', () => {
        openShell(client).then(resolve, reject);
      });
      client.on('error', reject);
      client.on('close', () => reject(new SshError(`${step.host} closed the connection`)));
      client.connect({
        sock: socket,
        username: step.user,
        privateKey,
        authHandler: ['publickey'],
        readyTimeout: LOGIN_MS,
        keepaliveInterval: KEEPALIVE_MS,
        hostVerifier: (key: Buffer) => {
          wrong = whyUnknown(step, key);
          return wrong === undefined;
        },
        algorithms: algorithmsOf(step.hostKeys),
      });
    });
    return {
      client,
      ...shell,
      [Symbol.dispose]() {
        client.end();
        socket.destroySoon();
      },
    };
  } catch (error) {
    socket.destroy();
    throw wrong ?? explained(error, step);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

export async function openShell(client: Client): Promise<Shell> {
  return await new Promise((resolve, reject) => {
    client.exec(COMMAND, (error, channel) => {
      if (error !== undefined) return reject(error);
      const ended: Shell['ended'] = { code: undefined, signal: null };
      // At once: a machine that does a command of its own may have ended it in the same packet.
      const exited = new Promise<void>((resolveExit) => {
        channel.on('exit', (code: number | null, by?: string) => {
          Object.assign(ended, { code, signal: by ?? null });
          resolveExit();
        });
      });
      channel.on('error', () => {});
      const closed = new Promise<void>((over) => channel.on('close', () => over()));
      resolve({ channel, ended, exited, closed });
    });
  });
}

/** Connected to an address that was checked. */
async function openSocket(
  targets: Targets,
  { host, port }: SshStepSpec,
  signal: AbortSignal,
): Promise<Socket> {
  targets.check(host);
  const late = AbortSignal.timeout(LOGIN_MS);
  const socket = dial({ host, port, lookup: targets.lookup, noDelay: true });
  try {
    await once(socket, 'connect', { signal: AbortSignal.any([signal, late]) });
    return socket;
  } catch (cause) {
    socket.destroy();
    if (hintOf(cause) !== undefined) throw cause;
    const reason = late.aborted ? `no answer within ${LOGIN_MS / 1000} s` : describeError(cause);
    throw new SshError(`cannot connect to ${host}, port ${port}: ${reason}`, { cause });
  }
}

/** `key`: as RFC 4253, section 6.6, writes it. */
function whyUnknown({ host, hostKeys }: SshStepSpec, key: Buffer): SshError | undefined {
  const hash = createHash('sha256').update(key).digest('base64').replace(/=$/, '');
  const fingerprint = `SHA256:${hash}`;
  if (hostKeys.some((known) => known.fingerprint === fingerprint)) return undefined;
  const type = key.toString('latin1', 4, 4 + key.readUInt32BE(0)).replaceAll(/[^\w.@-]/g, '?');
  return new SshError(
    `${host} has another key than the spec says: ${type.slice(0, 50)} ${fingerprint}. Nothing was sent to it`,
  );
}

/** A machine with several keys shows one of a type that is known. Where a type is not known, it chooses. */
function algorithmsOf(keys: readonly HostKey[]): Algorithms {
  if (keys.some(({ type }) => type === undefined)) return {};
  const types = keys.flatMap(({ type }) => (type === 'ssh-rsa' ? RSA : [type]));
  return { serverHostKey: [...new Set(types)] as ServerHostKeyAlgorithm[] };
}

function explained(error: unknown, { host, user, key }: SshStepSpec): unknown {
  const level = error instanceof Error && 'level' in error ? error.level : undefined;
  if (level === 'client-authentication') {
    return new SshError(`${host} does not let ${user} in with the key ${key}`, { cause: error });
  }
  if (error instanceof SshError) return error;
  return new SshError(`${host} cannot be logged in to`, { cause: error });
}
