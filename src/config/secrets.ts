import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describeError, MainsheetError } from '../lib/errors.ts';
import { SECRET_NAME } from '../lib/names.ts';
import { readSecretFile } from './secret-file.ts';
import type { Environment } from './variables.ts';

const PREFIX = 'MAINSHEET_SECRET_';
const FILE_SUFFIX = '_FILE';
const NAME_RULE = 'use A-Z, 0-9 and _, beginning with a letter';

/** The secrets that specs may name. */
export interface Secrets {
  /**
   * The value as it is now: files are read at every look-up, so that a rotated secret is used without a restart.
   * Undefined when there is none, or an empty one. Throws MainsheetError `secret-unreadable`.
   */
  get(name: string): string | undefined;
  /** All names, sorted. Throws like `get`. */
  names(): string[];
}

/**
 * The secrets of `MAINSHEET_SECRET_<NAME>`, `MAINSHEET_SECRET_<NAME>_FILE` and the files in `MAINSHEET_SECRETS_DIR`
 * (one a file, named like the secret: a mounted Kubernetes secret). A variable goes before a file of the directory.
 */
export function createSecrets(env: Environment): {
  secrets: Secrets;
  problems: string[];
  warnings: string[];
} {
  const values = new Map<string, string>();
  const paths = new Map<string, string>();
  const problems: string[] = [];
  const warnings: string[] = [];
  const directory = directoryOf(env);

  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX) || value === undefined || value === '') continue;
    const rest = variable.slice(PREFIX.length);
    const isFile = rest.endsWith(FILE_SUFFIX);
    const name = isFile ? rest.slice(0, -FILE_SUFFIX.length) : rest;
    if (!SECRET_NAME.test(name)) {
      problems.push(`${variable} does not name a secret that a spec can use: ${NAME_RULE}`);
    } else if (!isFile) {
      values.set(name, value);
    } else {
      paths.set(name, resolve(value));
      const problem = problemOf(() => readSecretFile(value));
      if (problem !== undefined) problems.push(`${variable} cannot be used: ${problem}`);
    }
  }
  for (const name of paths.keys()) {
    if (values.has(name)) {
      problems.push(`${PREFIX}${name} and ${PREFIX}${name}_FILE are both set: keep one of them`);
    }
  }
  if (directory !== undefined) {
    const problem = problemOf(() => {
      for (const name of unusableFiles(directory)) {
        warnings.push(
          `MAINSHEET_SECRETS_DIR has a file "${name}" that no spec can name: ${NAME_RULE}`,
        );
      }
    });
    if (problem !== undefined) problems.push(`MAINSHEET_SECRETS_DIR cannot be read: ${problem}`);
  }

  const secrets: Secrets = {
    get(name) {
      if (!SECRET_NAME.test(name)) return undefined;
      const path = paths.get(name) ?? (directory && join(directory, name));
      const value = values.get(name) ?? (path && lookUp(name, path));
      return value === '' ? undefined : value;
    },
    names() {
      const files = directory === undefined ? [] : listFiles(directory);
      return [...new Set([...values.keys(), ...paths.keys(), ...files])].sort();
    },
  };
  return { secrets, problems, warnings };
}

function directoryOf(env: Environment): string | undefined {
  const path = env['MAINSHEET_SECRETS_DIR']?.trim() ?? '';
  return path === '' ? undefined : resolve(path);
}

function lookUp(name: string, path: string): string | undefined {
  try {
    return readSecretFile(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw unreadable(`the secret ${name} cannot be read`, error);
  }
}

function listFiles(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => SECRET_NAME.test(name));
  } catch (error) {
    throw unreadable('the directory of the secrets cannot be read', error);
  }
}

/** Names that begin with a dot are how Kubernetes swaps a mounted secret. */
function unusableFiles(directory: string): string[] {
  return readdirSync(directory).filter((name) => !SECRET_NAME.test(name) && !name.startsWith('.'));
}

function unreadable(message: string, cause: unknown): MainsheetError {
  return new MainsheetError('secret-unreadable', message, {
    cause,
    hint: 'make the file readable for the user that Mainsheet runs as',
  });
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function problemOf(attempt: () => unknown): string | undefined {
  try {
    attempt();
    return undefined;
  } catch (error) {
    return describeError(error);
  }
}
