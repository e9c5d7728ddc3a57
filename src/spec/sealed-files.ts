import { describeError } from '../lib/errors.ts';
import { readSpecFile, type SpecFile } from './files.ts';
import type { SpecProblem } from './problem.ts';
import { openSops } from './sops.ts';
import { problemAt } from './problem.ts';

/** What files of encrypted secrets have in them. */
export interface Sealed {
  secrets: ReadonlyMap<string, string>;
  problems: SpecProblem[];
  warnings: SpecProblem[];
}

/** Decrypts the files; without a key none of them is. Never throws, and no problem has a value. */
export async function openSealedFiles(
  files: readonly SpecFile[],
  identities: readonly string[],
): Promise<Sealed> {
  const secrets = new Map<string, string>();
  const from = new Map<string, string>();
  const problems: SpecProblem[] = [];
  if (identities.length === 0) {
    return { secrets, problems, warnings: files.map(({ path }) => locked(path)) };
  }
  for (const file of files) {
    const found = await readSpecFile(file);
    if ('problem' in found) {
      problems.push(found.problem);
      continue;
    }
    try {
      for (const [name, value] of await openSops(found.text, identities)) {
        const earlier = from.get(name);
        if (earlier !== undefined) problems.push(twice(file.path, name, earlier));
        from.set(name, file.path);
        secrets.set(name, value);
      }
    } catch (error) {
      problems.push(
        problemAt({ file: file.path }, describeError(error), 'encrypt it with sops again'),
      );
    }
  }
  return { secrets, problems, warnings: [] };
}

function locked(path: string): SpecProblem {
  return problemAt(
    { file: path },
    'its secrets are not decrypted',
    'set MAINSHEET_SOPS_AGE_KEY to a key of it',
  );
}

function twice(path: string, name: string, earlier: string): SpecProblem {
  return problemAt({ file: path }, `the secret ${name} is in ${earlier} too`, 'keep one of them');
}
