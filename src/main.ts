import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { describeError, hintOf } from './lib/errors.ts';

const manifest = findPackageJSON(import.meta.url) ?? '';
const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };

/** How long stopping may take after the grace period, in milliseconds: the steps that are left are ended, and everything is closed. */
const STOP_WITHIN_MS = 20_000;

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The second signal is meant: what runs is taken up again at the next start.
    if (interrupted.signal.aborted) process.exit(130);
    interrupted.abort(signal);
  });
}

// A file that may not grow further is an error for the code that writes it. Node ignores the signal that would end the process, but
// not any more once a library has listened to it for the time of a child process.
process.on('SIGXFSZ', () => undefined);

const argv = process.argv.slice(2);
if (argv[0] === '--version' || argv[0] === '-V') {
  process.stdout.on('error', () => undefined).write(`${version}\n`);
} else if (argv[0] === 'serve' && argv.length === 1) {
  // What lives long does not keep in memory what reads command lines.
  process.exitCode = await serve({});
} else {
  // A command ends before collecting what it has left over pays: V8 would do so five times.
  setFlagsFromString('--semi-space-growth-factor=16');
  const { runProgram } = await import('./commands/program.ts');
  process.exitCode = await runProgram(
    {
      env: process.env,
      stdout: process.stdout,
      stderr: process.stderr,
      version,
      signal: interrupted.signal,
      serve,
    },
    argv,
  );
}

/** Exit codes: 0 stopped as asked, 1 asked to and could not in time, 2 the configuration is wrong, 3 it could not start. */
async function serve(asked: Record<string, string>): Promise<number> {
  const env = { ...process.env, ...asked };
  const { readConfig } = await import('./config.ts');
  const settings = { isTerminal: process.stderr.isTTY, setup: true };
  let read = readConfig(env, settings);
  if ('problems' in read) {
    for (const problem of read.problems) process.stderr.write(`mainsheet: ${problem}\n`);
    // A misspelt variable is often why another one is not set.
    for (const warning of read.warnings) process.stderr.write(`mainsheet: warning: ${warning}\n`);
    return 2;
  }
  let { config } = read;
  const { createLogger } = await import('./lib/logger.ts');
  const logger = createLogger({ level: config.logLevel, format: config.logFormat });
  for (const warning of read.warnings) logger.warn({ warning }, 'configuration');
  try {
    if (config.needsSetup) {
      const { runSetup } = await import('./app/setup.ts');
      const print = (line: string) => void process.stderr.write(`${line}\n`);
      await runSetup({ config, version, logger, print, signal: interrupted.signal });
      if (interrupted.signal.aborted) return 0;
      read = readConfig(env, settings);
      if ('problems' in read) throw new Error(read.problems.join('; '));
      ({ config } = read);
    }
    // Until it is up nothing is under way that a kill could harm, and what the start waits for may never come.
    const endAtOnce = () => {
      logger.info('stopped before it was up');
      process.exit(0);
    };
    interrupted.signal.addEventListener('abort', endAtOnce);
    const { startLean } = await import('./lib/heap.ts');
    const app = await startLean(async () => {
      const { startApp } = await import('./app.ts');
      return await startApp({ config, environment: process.env, version, logger });
    });
    interrupted.signal.removeEventListener('abort', endAtOnce);
    await new Promise<void>((resolve) => {
      if (interrupted.signal.aborted) resolve();
      interrupted.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    // A database that hangs, for example. Whatever is not handed over by then is taken up again as after a kill.
    const hanging = endAfter(config.shutdownGraceMs + STOP_WITHIN_MS, 1, () => {
      const hint = 'what was not handed over is taken up again at the next start';
      logger.error({ hint }, 'not everything has stopped: ending all the same');
    });
    await app.stop();
    clearTimeout(hanging);
    // All is handed over: what a library may still wait for must not keep the process from ending (G11).
    endAfter(5000, 0);
    return 0;
  } catch (error) {
    logger.fatal({ error: describeError(error), hint: hintOf(error) }, 'could not start');
    return 3;
  }
}

/** Ends the process after `ms` if it is still there then. */
function endAfter(ms: number, code: number, before?: () => void): NodeJS.Timeout {
  return setTimeout(() => {
    before?.();
    process.exit(code);
  }, ms).unref();
}
