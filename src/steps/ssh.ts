import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect as dial, type Socket } from 'node:net';
import type { Algorithms, Client, ClientChannel, ServerHostKeyAlgorithm } from 'ssh2';
import type { Clock } from '../lib/clock.ts';
import { formatDuration } from '../lib/duration.ts';
import { describeError, hintOf } from '../lib/errors.ts';
import type { HostKey, SshStepSpec } from '../model/deployment-spec.ts';
import type { StepContext, StepKind, StepResult } from './contract.ts';
import { environmentElsewhere } from './environment.ts';
import { exitReason, signalReason } from './exit-reason.ts';
import { failedStep } from './remote.ts';
import { cancelled } from './run-program.ts';
import type { Targets } from './targets.ts';

/** From the first packet to being let in. */
const LOGIN_MS = 30_000;
/** A machine that answers nothing for four of these is gone. */
const KEEPALIVE_MS = 15_000;
/** How long what the script left in the background may be silent before its output is not waited for any more. */
const DRAIN_MS = 1000;
/** How long a machine that was told to end a script may take over it, beyond the script's own time. */
const ENDING_MS = 5000;
const RSA = ['rsa-sha2-512', 'rsa-sha2-256'] as const;

/** The user's own shell there reads this and nothing else: the script and its values come as input. As steps are run here: `findShell`. */
const COMMAND =
  "exec sh -c 'if command -v bash >/dev/null 2>&1; then exec bash --norc -o pipefail -s; else exec sh -s; fi'";

/** Why there is no connection, or no answer; its message is for people. */
class SshError extends Error {
  override readonly name = 'SshError';
}

/**
 * Runs a script on another machine, which has to show a key that the spec names. Its output is the log, its exit status the end of
 * the step. On timeout and cancel, and when the connection breaks, what runs there gets SIGTERM, and SIGKILL `killGraceMs` later.
 */
export function createSshStep(deps: {
  targets: Targets;
  clock: Clock;
  killGraceMs: number;
}): StepKind<SshStepSpec> {
  return async (context) => {
    const late = AbortSignal.timeout(Math.min(context.timeoutMs, 2 ** 31 - 1));
    const signal = AbortSignal.any([context.signal, late]);
    try {
      signal.throwIfAborted();
      using connection = await logIn(deps.targets, context, signal);
      return resultOf(context.step, await runThere(deps, connection, context, signal));
    } catch (error) {
      if (context.signal.aborted) return cancelled(context.signal);
      if (late.aborted) {
        return {
          outcome: 'timed-out',
          reason: `it took longer than its ${formatDuration(context.timeoutMs)}`,
        };
      }
      const hint = hintOf(error);
      return failedStep(`${describeError(error)}${hint === undefined ? '' : ` (${hint})`}`);
    }
  };
}

/**
 * What the shell there reads: each value quoted, so that it stays a value; then the script, whose own input is empty. Beside it
 * waits what ends its process group when the input of the shell ends, as it does with the connection. It is one block, which
 * the shell has read whole before it does any of it.
 */
export function shellInput(env: Record<string, string>, script: string, graceMs: number): string {
  return [
    'exec 3<&0',
    ...Object.entries(env).map(([name, value]) => `export ${name}=${quoted(value)}`),
    '{',
    `( read -r _; trap '' TERM; kill -TERM 0; sleep ${Math.ceil(graceMs / 1000)}; kill -KILL 0 ) <&3 >/dev/null 2>&1 &`,
    'watcher=$!',
    `( unset watcher; set -e; eval ${quoted(script)} ) </dev/null 3<&-`,
    'status=$?; kill "$watcher"; exit "$status"',
    '}',
    '',
  ].join('\n');
}

/** Between single quotes nothing means anything but the next one: https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_02_02 */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

interface Connection extends Disposable {
  client: Client;
  /** Where the command runs, and has read nothing yet. */
  channel: ClientChannel;
}

async function logIn(
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
    const channel = await new Promise<ClientChannel>((resolve, reject) => {
      client.on('ready', () => {
        client.exec(COMMAND, (error, opened) => {
          if (error === undefined) resolve(opened);
          else reject(error);
        });
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
      channel,
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

/** `code` is null after a signal, undefined when the connection ended before the script. */
interface Ended {
  code: number | null | undefined;
  signal: string | null;
}

/** Throws the signal's reason when that came first. */
async function runThere(
  { clock, killGraceMs }: { clock: Clock; killGraceMs: number },
  { client, channel }: Connection,
  context: StepContext<SshStepSpec>,
  signal: AbortSignal,
): Promise<Ended> {
  const { step, log } = context;
  let pieces = 0;
  const show = (stream: 'stdout' | 'stderr') => (text: string) => {
    pieces += 1;
    log(stream, text);
  };
  channel.setEncoding('utf8').on('data', show('stdout'));
  channel.stderr.setEncoding('utf8').on('data', show('stderr'));
  const ended: Ended = { code: undefined, signal: null };
  const exited = new Promise<void>((resolve) => {
    channel.on('exit', (code: number | null, by?: string) => {
      Object.assign(ended, { code, signal: by ?? null });
      resolve();
    });
  });
  const closed = new Promise<void>((resolve) => channel.on('close', () => resolve()));
  // A connection that breaks closes the channel, too.
  client.on('error', (error) => log('stderr', `${step.host}: ${describeError(error)}\n`));
  channel.on('error', () => {});
  channel.write(shellInput(environmentElsewhere(context), step.run, killGraceMs));

  const stopped = new AbortController();
  const aborted = once(signal, 'abort', { signal: stopped.signal }).catch(() => {});
  try {
    await Promise.race([exited, closed, signal.aborted ? undefined : aborted]);
    if (signal.aborted && ended.code === undefined) {
      channel.end();
      await within(killGraceMs + ENDING_MS, Promise.race([exited, closed]));
      if (ended.code === undefined) {
        log('stderr', `${step.host} does not say that it has ended: it may go on there\n`);
      }
      signal.throwIfAborted();
    }
    for (let before = -1; before !== pieces;) {
      before = pieces;
      await within(DRAIN_MS, closed);
    }
    return ended;
  } finally {
    stopped.abort();
  }

  async function within(ms: number, promise: Promise<void>): Promise<void> {
    const done = new AbortController();
    await Promise.race([promise, clock.sleep(ms, done.signal)]).finally(() => done.abort());
  }
}

function resultOf({ host }: SshStepSpec, { code, signal }: Ended): StepResult {
  if (code === 0) return { outcome: 'succeeded', exitCode: 0, outputs: {} };
  if (code === undefined) {
    return failedStep(`the connection to ${host} ended before the script did: it may go on there`);
  }
  const reason = code === null ? signalReason(signal) : exitReason(code);
  return { outcome: 'failed', exitCode: code ?? undefined, reason };
}
