import { join } from 'node:path';
import { describeError, hintOf, MainsheetError, RetryableError } from '../lib/errors.ts';
import { discard } from '../lib/discard.ts';
import { createMaskers, maskInTurns, type Masker } from '../lib/masking.ts';
import type { DeploymentSpec } from '../model/deployment-spec.ts';
import type { Json } from '../model/event.ts';
import type { Run } from '../model/run.ts';
import type { Orphans } from '../steps/orphans.ts';
import type { Store } from '../store/index.ts';
import { guardFork } from './fork-guard.ts';
import { interrupted, type Outcome } from './outcome.ts';
import type { PipelineDeps } from './pipeline-context.ts';
import { runPipeline } from './pipeline.ts';
import { createRunLog, type RunLog } from './run-log.ts';
import { makeScratch } from './scratch.ts';
import type { SpecReader } from './snapshot.ts';
import { LostRunError } from './transition.ts';

/**
 * Runs the steps of a run that is claimed. Changes step rows and the log; the run's own state is the caller's. Throws
 * LostRunError when another process has taken the run up meanwhile.
 */
export type Execute = (run: Run, signal: AbortSignal) => Promise<Outcome>;

export interface ExecuteDeps extends PipelineDeps {
  specOf: SpecReader;
  /** The value of a secret, by its name. */
  secret: (name: string) => string | undefined;
  /** Where steps keep their files, outside every checkout. */
  scratchDirectory: string;
  maxLogBytes: number;
  orphans: Pick<Orphans, 'endOfRun'>;
}

export function createExecute(deps: ExecuteDeps): Execute {
  return async (run, signal) => {
    const scratch = join(deps.scratchDirectory, run.id);
    let log: RunLog | undefined;
    let mask = (text: string) => text;
    const openLog = (createMasker: () => Masker) =>
      createRunLog({ ...deps, run, createMasker, maxBytes: deps.maxLogBytes });
    try {
      const spec = await deps.specOf(deps.store, run.specDigest);
      await guardFork(deps, run, spec);
      const secrets = readSecrets(spec, deps.secret);
      const createMasker = createMaskers(Object.values(secrets));
      const whole = createMasker();
      mask = (text) => whole.push(text) + whole.flush();
      log = await openLog(createMasker);
      if (run.attempts > 1) await clearAway(deps, run, scratch, log);
      const payload = await payloadOf(deps.store, run.delivery);
      const events = spec.batch && eventsOf(deps.store, run, payload);
      await makeScratch({ ...deps, run: run.id, payload, events });
      const outcome = await runPipeline(deps, {
        run,
        spec,
        secrets,
        payload: JSON.parse(payload) as Json,
        scratch,
        log,
        mask,
        maskLong: remembered((text) => maskInTurns(createMasker(), text)),
        signal,
      });
      await log.close();
      return outcome;
    } catch (error) {
      if (error instanceof LostRunError) throw error;
      if (signal.aborted) return interrupted(signal);
      // The run goes on where it was when the database is back; the one that takes it up skips the steps that are done.
      if (isStoreAway(error)) return { kind: 'interrupted' };
      const reason = mask(describeError(error));
      const hint = hintOf(error);
      // What goes wrong before the first step is for the reader of the log too.
      log ??= await openLog(createMaskers([])).catch(() => undefined);
      log?.say(-1, `Mainsheet failed: ${reason}`);
      if (hint !== undefined) log?.say(-1, `  → ${hint}`);
      return { kind: 'failed', fault: 'mainsheet', reason, ...(hint !== undefined && { hint }) };
    } finally {
      // A log that cannot be stored has failed the run above already, or the run has ended without it.
      await log?.close().catch(() => undefined);
      // A step may have left there what cannot be removed. Thrown from here, that would keep the run from ending, and with
      // its lease over it would start again, for ever.
      await discard(scratch, deps.scratchDirectory).catch(() => undefined);
    }
  };
}

function isStoreAway(error: unknown): boolean {
  return error instanceof RetryableError && error.code === 'store-away';
}

/** Throws MainsheetError `secret-missing`, naming every secret that is not set. */
function readSecrets(
  spec: DeploymentSpec,
  secret: (name: string) => string | undefined,
): Record<string, string> {
  const found = spec.secrets.map((name) => [name, secret(name)] as const);
  const missing = found.filter(([, value]) => value === undefined).map(([name]) => name);
  if (missing.length > 0) {
    const named = missing.length === 1 ? 'the secret' : 'the secrets';
    throw new MainsheetError(
      'secret-missing',
      `no value is set for ${named} ${missing.join(', ')}`,
      {
        hint: `set MAINSHEET_SECRET_${missing[0]}, or put a file ${missing[0]} into MAINSHEET_SECRETS_DIR`,
      },
    );
  }
  return Object.fromEntries(found.map(([name, value]) => [name, value ?? '']));
}

/** Ends and removes what the process left behind that had the run before. Throws as `Orphans` does. */
async function clearAway(
  deps: Pick<ExecuteDeps, 'orphans' | 'scratchDirectory'>,
  run: Run,
  scratch: string,
  log: RunLog,
): Promise<void> {
  log.say(-1, `Taken up again: attempt ${run.attempts}`);
  const ended = await deps.orphans.endOfRun(run.id);
  if (ended > 0) log.say(-1, `Ended ${ended} processes that the attempt before had left`);
  await discard(scratch, deps.scratchDirectory).catch(() => undefined);
}

async function payloadOf(store: Store, delivery: string): Promise<string> {
  const payload = (await store.inbox.get(delivery))?.payload;
  // Of an old delivery only the row is kept.
  return payload === undefined || payload === '' ? '{}' : payload;
}

/** The payloads of a run's batch, or its own alone. */
async function* eventsOf(store: Store, { batch }: Run, own: string): AsyncGenerator<string> {
  const gathered = batch === undefined ? undefined : await store.batches.view(batch);
  if (gathered === undefined) yield own;
  for (const delivery of gathered?.deliveries ?? []) yield await payloadOf(store, delivery);
}

/** Every step hands on the outputs of those before it, too: each text is looked at once. */
function remembered(mask: (text: string) => Promise<string>): (text: string) => Promise<string> {
  const known = new Map<string, string>();
  return async (text) => {
    const found = known.get(text) ?? (await mask(text));
    known.set(text, found);
    return found;
  };
}
