import type { Run } from '../model/run.ts';
import type { Seal } from '../lib/seal.ts';
import type { KeptOutputs, Runs } from '../store/runs.ts';

/** What steps have put out, by name. */
export type Outputs = Record<string, string>;

export const NO_OUTPUTS: KeptOutputs = { outputs: {}, masked: [], sealed: undefined };

/**
 * Outputs as they are kept: masked, in name and value, for all who may look at the run (G8). Where that changes anything they
 * are also kept as they are, sealed, because the steps that are still to come get them unchanged, also after a restart.
 */
export async function toKeep(
  outputs: Outputs,
  { run, maskLong, seal }: { run: Run; maskLong: (text: string) => Promise<string>; seal: Seal },
): Promise<KeptOutputs> {
  const entries: { name: string; value: string; isMasked: boolean }[] = [];
  for (const [name, value] of Object.entries(outputs)) {
    const shown = { name: await maskLong(name), value: await maskLong(value) };
    entries.push({ ...shown, isMasked: shown.name !== name || shown.value !== value });
  }
  const masked = entries.filter(({ isMasked }) => isMasked).map(({ name }) => name);
  return {
    outputs: Object.fromEntries(entries.map(({ name, value }) => [name, value])),
    masked: [...new Set(masked)],
    sealed: masked.length === 0 ? undefined : seal.close(JSON.stringify(outputs), run.id),
  };
}

/** The outputs of the finished steps of a run that is taken up again, as they were; undefined when they cannot be had here. */
export async function keptOutputs(
  { store, seal }: { store: { runs: Pick<Runs, 'sealedOutputs'> }; seal: Seal },
  run: Run,
): Promise<Outputs | undefined> {
  if (run.maskedOutputs === undefined) return run.outputs;
  const sealed = await store.runs.sealedOutputs(run.id);
  const text = sealed === undefined ? undefined : seal.open(sealed, run.id);
  return text === undefined ? undefined : (JSON.parse(text) as Outputs);
}

/** The outputs of a run for what leaves Mainsheet. `refused` has the names of those that were asked for and hold a secret. */
export function outputsToSend(run: Pick<Run, 'outputs' | 'maskedOutputs'>): {
  outputs: Outputs;
  refused: ReadonlySet<string>;
} {
  const refused = new Set<string>();
  const outputs = { ...run.outputs };
  for (const name of run.maskedOutputs ?? []) {
    Object.defineProperty(outputs, name, {
      enumerable: true,
      get() {
        refused.add(name);
        return '';
      },
    });
  }
  return { outputs, refused };
}
