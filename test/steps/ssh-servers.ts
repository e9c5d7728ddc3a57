import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server as NetServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import ssh2, { type Connection } from 'ssh2';

/** A machine that can be logged in to, with two host keys of its own. */
export interface Machine {
  port: number;
  user: string;
  /** Of the user that is let in. */
  privateKey: string;
  /** `ssh-ed25519 AAAA…`, `ssh-rsa AAAA…`. */
  hostKeys: { ed25519: string; rsa: string };
  /** Where it keeps what goes on without a connection. */
  state: string;
  /** Breaks all connections. */
  cut(): void;
}

export type StartMachine = (t: TestContext) => Promise<Machine>;

interface Keys {
  host: { ed25519: KeyPair; rsa: KeyPair };
  user: KeyPair;
}

interface KeyPair {
  private: string;
  public: string;
}

/** Making them takes its time. */
let made: Keys | undefined;

function keys(): Keys {
  made ??= {
    host: {
      ed25519: newKey(),
      rsa: ssh2.utils.generateKeyPairSync('rsa', { bits: 2048 }),
    },
    user: newKey(),
  };
  return made;
}

/**
 * Another one when the library cannot read what it made: of each 256th Ed25519 key it leaves out a
 * leading zero (ssh2 1.17). It reads those of OpenSSH, with the zero.
 */
export function newKey(): KeyPair {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519');
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair;
  }
}

const SSHD = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/usr/bin/sshd'].find(existsSync);

/** The servers that the step is tried with. */
export const MACHINES: { name: string; start: StartMachine; skip: string | false }[] = [
  { name: "ssh2's server", start: (t) => startLibrary(t), skip: false },
  {
    name: 'OpenSSH',
    start: startOpenSsh,
    skip: whyNoOpenSsh(),
  },
];

function whyNoOpenSsh(): string | false {
  if (SSHD === undefined) return 'NOT RUN: there is no sshd here (openssh-server)';
  // It runs what it is told in the shell of the user of the tests.
  const { shell } = userInfo();
  return /(?:nologin|false)$/.test(shell ?? '') ? `NOT RUN: ${shell} runs no command` : false;
}

/** `command`: what it does in place of every command that it is sent. */
export async function startLibrary(
  t: TestContext,
  { command: forced, home }: { command?: string; home?: string } = {},
): Promise<Machine> {
  const { host, user } = keys();
  const own = home ?? (await ownDirectory(t));
  const allowed = publicBlob(user.public);
  const connections = new Set<Connection>();
  const server = new ssh2.Server(
    { hostKeys: [host.ed25519.private, host.rsa.private] },
    (client) => {
      connections.add(client);
      client.on('error', () => {});
      client.on('close', () => connections.delete(client));
      client.on('authentication', (context) => {
        const isKnown = context.method === 'publickey' && context.key.data.equals(allowed);
        if (isKnown && context.username === 'deploy') context.accept();
        else context.reject(['publickey']);
      });
      client.on('session', (accept) => {
        const session = accept();
        session.on('exec', (acceptExec, _reject, { command }) => {
          const channel = acceptExec();
          const env = { PATH: process.env['PATH'], HOME: own };
          const child = spawn('/bin/sh', ['-c', forced ?? command], { detached: true, env });
          channel.pipe(child.stdin);
          child.stdin.on('error', () => {});
          child.stdout.pipe(channel, { end: false });
          child.stderr.pipe(channel.stderr, { end: false });
          child.on('exit', (code, signal) => {
            if (code === null) channel.exit(signal?.slice(3) ?? 'KILL');
            else channel.exit(code);
          });
          child.on('close', () => channel.end());
          channel.on('close', () => child.stdin.destroy());
        });
      });
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const cut = () => connections.forEach((client) => client.end());
  t.after(() => {
    cut();
    server.close();
  });
  const state = join(own, '.local/state/mainsheet');
  return machine(server.address() as AddressInfo, 'deploy', state, cut);
}

async function startOpenSsh(t: TestContext): Promise<Machine> {
  const { host, user } = keys();
  const root = await ownDirectory(t);
  await writeFile(join(root, 'authorized'), `${user.public}\n`);
  const hostKeys = Object.entries(host).map(([type, { private: text }]) => ({ type, text }));
  for (const { type, text } of hostKeys) await writeFile(join(root, type), text, { mode: 0o600 });
  await writeFile(
    join(root, 'config'),
    [
      ...hostKeys.map(({ type }) => `HostKey ${join(root, type)}`),
      `AuthorizedKeysFile ${join(root, 'authorized')}`,
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'PermitRootLogin yes',
      `SetEnv XDG_STATE_HOME=${root}`,
      '',
    ].join('\n'),
  );
  // Where it gives up its rights; without root it has none.
  if (userInfo().uid === 0) await mkdir('/run/sshd', { recursive: true });
  const children = new Set<ReturnType<typeof spawn>>();
  const server: NetServer = createServer({ pauseOnConnect: true }, (socket) => {
    const args = ['-i', '-e', '-f', join(root, 'config')];
    const child = spawn(SSHD ?? '', args, { stdio: [socket, socket, 'ignore'] });
    children.add(child);
    child.on('exit', () => children.delete(child));
    socket.destroy();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const cut = () => children.forEach((child) => child.kill('SIGKILL'));
  t.after(() => {
    cut();
    server.close();
  });
  const state = join(root, 'mainsheet');
  return machine(server.address() as AddressInfo, userInfo().username, state, cut);
}

async function ownDirectory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'mainsheet-sshd-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

function machine({ port }: AddressInfo, user: string, state: string, cut: () => void): Machine {
  const { host, user: own } = keys();
  return {
    port,
    user,
    state,
    privateKey: own.private,
    hostKeys: { ed25519: host.ed25519.public.trim(), rsa: host.rsa.public.trim() },
    cut,
  };
}

function publicBlob(text: string): Buffer {
  return Buffer.from(text.split(' ')[1] ?? '', 'base64');
}
