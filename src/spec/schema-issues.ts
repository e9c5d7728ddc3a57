import type * as z from 'zod';
import { knownKeys, specJsonSchema } from './json-schema.ts';
import { didYouMean, type Issue } from './problem.ts';

type ZodIssue = z.core.$ZodIssue;
type Path = readonly (string | number)[];

/** What the schema found wrong with a document's value, one issue for each thing to mend; at most `most`. */
export function schemaIssues(error: z.ZodError, raw: unknown, most: number): Issue[] {
  return error.issues
    .slice(0, most)
    .flatMap((issue) => toIssues(issue, [], raw))
    .slice(0, most);
}

function toIssues(issue: ZodIssue, base: Path, raw: unknown): Issue[] {
  const path = [...base, ...issue.path.map((key) => (typeof key === 'number' ? key : String(key)))];
  const value = valueAt(raw, path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return unknownKeys(path, issue.keys);
    case 'invalid_union':
      return unionIssues(issue, path, raw);
    case 'invalid_key':
      return issue.issues.map((inner) => ({
        ...withHint({ path, message: inner.message }, inner),
        at: 'key' as const,
      }));
    case 'invalid_type':
      return [wrongType(path, [issue.expected], value)];
    case 'invalid_value': {
      if (value === undefined) return [missing(path)];
      const values = issue.values.map(String);
      if (value === null) {
        return [
          { path, message: `${place(path)}is empty; it must be one of ${values.join(', ')}` },
        ];
      }
      return [
        {
          path,
          message: `${place(path)}${describe(value)} is not one of ${values.join(', ')}`,
          hint: typeof value === 'string' ? didYouMean(value, values) : undefined,
        },
      ];
    }
    default:
      return [withHint({ path, message: `${place(path)}${issue.message}` }, issue)];
  }
}

/** Only the alternative that was meant is worth reading: the one whose type is right. */
function unionIssues(
  issue: Extract<ZodIssue, { code: 'invalid_union' }>,
  path: Path,
  raw: unknown,
): Issue[] {
  const value = valueAt(raw, path);
  const meant = issue.errors.find((branch) => !branch.some((inner) => isWrongType(inner, value)));
  if (meant !== undefined) return meant.flatMap((inner) => toIssues(inner, path, raw));
  const expected = issue.errors.flat().flatMap((inner) => {
    if (inner.path.length > 0) return [];
    if (inner.code === 'invalid_value') return ['string'];
    return inner.code === 'invalid_type' ? [inner.expected] : [];
  });
  return [wrongType(path, expected, value)];
}

function isWrongType(inner: ZodIssue, value: unknown): boolean {
  if (inner.path.length > 0) return false;
  const isPlace = typeof value === 'object' && value !== null;
  return inner.code === 'invalid_type' || (inner.code === 'invalid_value' && isPlace);
}

function wrongType(path: Path, expected: readonly string[], value: unknown): Issue {
  if (value === undefined && path.length > 0) return missing(path);
  if (path.length === 0) {
    return { path, message: `a deployment spec is a map of keys, and this is ${typeName(value)}` };
  }
  const names = [...new Set(expected.map((type) => TYPE_NAMES[type] ?? type))];
  return {
    path,
    message: `${place(path)}must be ${names.join(' or ')}, and is ${typeName(value)}`,
    hint: typeHint(path, expected, value),
  };
}

function typeHint(path: Path, expected: readonly string[], value: unknown): string | undefined {
  const key = path.at(-1);
  if (key === 'timeout' || key === 'backoff') return 'write it like 90s, 15m or 1h30m';
  if (value === null && expected.includes('string')) return 'write "" for an empty text';
  return undefined;
}

function missing(path: Path): Issue {
  const within = path.slice(0, -1);
  const where = within.length === 0 ? '' : ` in ${dotted(within)}`;
  return { path: within, message: `"${String(path.at(-1))}" is missing${where}` };
}

/** Unknown keys of one map that are worth naming. */
const MOST_UNKNOWN = 20;

/** What people who know GitHub Actions reach for, and what it is called here. */
const HABITS: Record<string, string> = {
  jobs: 'a deployment spec has its "steps" at the top',
  uses: 'actions cannot run here; write the commands in "run"',
  with: 'actions cannot run here; write the commands in "run"',
  'timeout-minutes': 'write it as "timeout: 15m"',
  'runs-on': 'steps run where Mainsheet runs',
  'working-directory': 'begin "run" with: cd directory',
  shell: 'steps run in bash, or in sh where there is no bash',
  pull_request: 'Mainsheet deploys pushes, releases and workflow runs, never pull requests',
  workflow_dispatch: 'start a run by hand with: mainsheet retry, mainsheet replay',
};

function unknownKeys(path: Path, keys: readonly string[]): Issue[] {
  const known = knownKeys(specJsonSchema(), path);
  return keys.slice(0, MOST_UNKNOWN).map((key) => ({
    path: [...path, key],
    at: 'key',
    message: `unknown key "${key.slice(0, 100)}"`,
    hint:
      (Object.hasOwn(HABITS, key) ? HABITS[key] : undefined) ??
      didYouMean(key, known) ??
      `known keys here: ${known.join(', ')}`,
  }));
}

function withHint(issue: Issue, source: ZodIssue): Issue {
  const hint: unknown = source.code === 'custom' ? source.params?.['hint'] : undefined;
  return typeof hint === 'string' ? { ...issue, hint } : issue;
}

function valueAt(raw: unknown, path: Path): unknown {
  let value = raw;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}

function place(path: Path): string {
  return path.length === 0 ? '' : `${dotted(path)}: `;
}

function dotted(path: Path): string {
  return path.reduce<string>(
    (text, key) =>
      typeof key === 'number' ? `${text}[${key}]` : text === '' ? key : `${text}.${key}`,
    '',
  );
}

const TYPE_NAMES: Record<string, string> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  null: 'empty',
  array: 'a list',
  object: 'a map',
  record: 'a map',
};

function typeName(value: unknown): string {
  if (value === null || value === undefined) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number' && !Number.isFinite(value)) return 'not a finite number';
  return TYPE_NAMES[typeof value] ?? typeof value;
}

function describe(value: unknown): string {
  if (typeof value === 'string') return `"${value.slice(0, 60)}"`;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : typeName(value);
}
