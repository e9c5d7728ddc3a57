import { InvalidArgumentError, type Command } from 'commander';
import type { Api } from './api-client.ts';
import { adminToken, fetchOf, serverUrl } from './settings.ts';
import { createTerminal, type OutputStream, type Terminal } from './terminal.ts';

/** What the process gives the program. */
export interface ProgramDeps {
  env: Record<string, string | undefined>;
  stdout: OutputStream;
  stderr: OutputStream;
  /** Default: the process's. */
  stdin?: AsyncIterable<Uint8Array | string>;
  version: string;
  /** Where it was started. Default: the process's. */
  directory?: string;
  /** Aborted when the user wants to stop. */
  signal: AbortSignal;
  /** Runs the controller until the process is to end, with `settings` over the environment; gives the exit code. */
  serve: (settings: Record<string, string>) => Promise<number>;
}

/** What a command works with. */
export interface CommandContext extends ProgramDeps {
  terminal: Terminal;
  stdin: AsyncIterable<Uint8Array | string>;
  directory: string;
  /** The running server, with the token from the environment or from this machine's data directory. */
  api(): Promise<Api>;
  /** Where it is said to be, without a slash at the end. */
  serverUrl(): string;
  /** How requests get out, by the environment. Throws MainsheetError `way-out`. */
  fetch(): typeof fetch;
  /** A commander action of a command that gives its exit code; nothing: 0. */
  action<Args extends unknown[]>(
    command: (...args: Args) => Promise<number | void>,
  ): (...args: Args) => Promise<void>;
}

export function createContext(
  deps: ProgramDeps,
  program: Command,
  end: (exitCode: number) => void,
): CommandContext {
  const server = () => {
    const { server: asked } = program.opts<{ server?: string }>();
    return serverUrl(deps.env, asked).replace(/\/+$/, '');
  };
  return {
    ...deps,
    stdin: deps.stdin ?? process.stdin,
    directory: deps.directory ?? process.cwd(),
    terminal: createTerminal(deps),
    serverUrl: server,
    async api() {
      const { createApi } = await import('./api-client.ts');
      return createApi({
        url: server(),
        token: adminToken(deps.env, server()),
        signal: deps.signal,
        userAgent: `mainsheet/${deps.version}`,
        fetch: fetchOf(deps.env),
      });
    },
    fetch: () => fetchOf(deps.env),
    action:
      (command) =>
      async (...args) =>
        end((await command(...args)) ?? 0),
  };
}

/** Checks an argument that names a run, a spec or a hook, before it becomes part of a path. */
export function idArgument(text: string): string {
  if (/^[\w-]{1,100}$/.test(text)) return text;
  throw new InvalidArgumentError('An id has letters, digits, "-" and "_" only.');
}

/** Checks an argument that names a delivery, before it becomes part of a path: that of a hook is `<hook>.<id>`. */
export function deliveryArgument(text: string): string {
  if (/^[\w-][\w.-]{0,199}$/.test(text)) return text;
  throw new InvalidArgumentError('It is an id, as "mainsheet deliveries" shows it.');
}

/** Checks an argument that numbers a callback. */
export function entryArgument(text: string): string {
  if (/^\d{1,15}$/.test(text)) return text;
  throw new InvalidArgumentError('It is a number, as "mainsheet outbox" shows it.');
}

/** Checks how many items of a list are asked for. */
export function limitArgument(text: string): string {
  if (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 200) return text;
  throw new InvalidArgumentError('It is a number from 1 to 200.');
}
