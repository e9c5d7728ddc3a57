import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCode } from '../lib/errors.ts';
import type { Seal } from '../lib/seal.ts';

/** `<run>.<uuid>`. */
const NAME = /^([A-Za-z0-9_-]+)\.[0-9a-f-]{36}$/;

/** PlanFiles that wait to be applied, in the data directory, where nothing but this installation's key can read them. */
export interface PlanFiles {
  /** Resolves, with a name for it, when it is on the disk. */
  keep(run: string, plan: Buffer): Promise<string>;
  /** Undefined when it is not on this machine, or cannot be read. */
  read(name: string): Promise<Buffer | undefined>;
  remove(name: string): Promise<void>;
  /** Removes those of a run that has ended. */
  removeOf(run: string): Promise<void>;
  /** Removes those of all runs but these. */
  retain(runs: ReadonlySet<string>): Promise<void>;
}

export function createPlanFiles(directory: string, seal: Seal): PlanFiles {
  return {
    async keep(run, plan) {
      const name = `${run}.${randomUUID()}`;
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const path = join(directory, name);
      const file = await open(`${path}.new`, 'wx', 0o600);
      try {
        await file.writeFile(seal.close(plan.toString('base64'), name));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(`${path}.new`, path);
      await syncDirectory(dirname(path));
      return name;
    },

    async read(name) {
      const sealed = await readFile(pathOf(name), 'utf8').catch(ifMissing(undefined));
      const text = sealed === undefined ? undefined : seal.open(sealed, name);
      return text === undefined ? undefined : Buffer.from(text, 'base64');
    },

    remove: (name) => rm(pathOf(name), { force: true }),

    removeOf: (run) => removeIf((of) => of === run),
    retain: (runs) => removeIf((of) => !runs.has(of)),
  };

  async function removeIf(isOver: (run: string) => boolean): Promise<void> {
    for (const name of await readdir(directory).catch(ifMissing<string[]>([]))) {
      const [run = ''] = name.split('.');
      if (isOver(run)) await rm(join(directory, name), { force: true });
    }
  }

  /** The name comes from a row. */
  function pathOf(name: string): string {
    if (!NAME.test(name)) throw new TypeError('that is no name of a plan');
    return join(directory, name);
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function ifMissing<Value>(value: Value): (error: unknown) => Value {
  return (error) => {
    if (errorCode(error) === 'ENOENT') return value;
    throw error;
  };
}
