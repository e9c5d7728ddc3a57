import { Readable, Writable } from 'node:stream';
import { runProgram } from '../../src/commands/program.ts';
import { ADMIN_TOKEN } from '../support/admin.ts';

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: Record<string, string>;
  stdin?: string;
  /** Makes standard output and standard error look like a terminal of this width. */
  columns?: number;
  signal?: AbortSignal;
  /** Where it is started; default: where the tests are. */
  directory?: string;
  /** Called with all of standard output whenever there is more of it. */
  onOutput?: (stdout: string) => void;
  /** The same of standard error. */
  onNote?: (stderr: string) => void;
}

/** Runs one command line in this process, with nothing of this process's environment but PATH, and the token of the servers of the tests. */
export async function runCommand(argv: string[], options: RunOptions = {}): Promise<Ran> {
  const { env, columns, stdin = '', signal, onOutput, onNote, directory = process.cwd() } = options;
  let written = '';
  const stdout = collector(columns, (text) => {
    written += text;
    onOutput?.(written);
  });
  let said = '';
  const stderr = collector(columns, (text) => {
    said += text;
    onNote?.(said);
  });
  const code = await runProgram(
    {
      env: { PATH: process.env['PATH'] ?? '', MAINSHEET_ADMIN_TOKEN: ADMIN_TOKEN, ...env },
      stdout,
      stderr,
      stdin: Readable.from([stdin]),
      version: '9.8.7',
      directory,
      signal: signal ?? new AbortController().signal,
      serve: async () => 0,
    },
    argv,
  );
  return { code, stdout: written, stderr: said };
}

function collector(columns: number | undefined, take: (text: string) => void) {
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      take(chunk);
      done();
    },
  });
  return Object.assign(stream, columns === undefined ? {} : { isTTY: true, columns });
}
