import { MainsheetError } from '../lib/errors.ts';
import type { DeploymentSpec, LoadedSpec } from '../model/deployment-spec.ts';
import { ofDigest } from '../model/preview.ts';
import { parseSpecs } from '../spec/load.ts';
import type { Tables } from '../store/index.ts';
import type { Snapshots } from '../store/snapshots.ts';

/** Specs kept parsed at most. They are small, and one that fell out is parsed again. */
const CACHED = 1000;

/** Reads the spec that a run was made from: its snapshot, never what the file says today. */
export type SpecReader = (
  tables: Pick<Tables, 'snapshots'>,
  digest: string,
) => Promise<DeploymentSpec>;

/** The reader throws MainsheetError `spec-unreadable` when the snapshot is missing or this version cannot read it. */
export function createSpecReader(): SpecReader {
  const cache = new Map<string, DeploymentSpec>();
  return async (tables, digest) => {
    const known = cache.get(digest);
    if (known !== undefined) return known;
    const { spec: written } = await readSnapshot(tables, digest);
    const spec = ofDigest(digest, written);
    if (cache.size >= CACHED) cache.delete(cache.keys().next().value ?? '');
    cache.set(digest, spec);
    return spec;
  };
}

/** The spec as it was read when a run was made from it. Throws as the reader does. */
export async function readSnapshot(
  tables: { snapshots: Pick<Snapshots, 'get'> },
  digest: string,
): Promise<LoadedSpec> {
  const snapshot = await tables.snapshots.get(digest);
  const parsed = snapshot && parseSpecs(snapshot.file, snapshot.text);
  const loaded = parsed?.specs[0];
  if (loaded !== undefined) return loaded;
  throw new MainsheetError(
    'spec-unreadable',
    'the snapshot of the deployment spec cannot be read',
    {
      cause: parsed?.problems[0] && new Error(parsed.problems[0].message),
      hint: 'push again, or replay the delivery, to run with the present spec',
    },
  );
}
