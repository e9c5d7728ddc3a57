import type * as z from 'zod';
import type { Json } from '../model/event.ts';
import { knownKeys } from './json-schema.ts';
import type { NotifyForm } from './notify/contract.ts';
import { NOTIFY_FORMS } from './notify/index.ts';
import { didYouMean, type Issue } from './problem.ts';
import { asList, partsOf } from './schema-fields.ts';
import { valueAt } from '../lib/json.ts';

type ZodIssue = z.core.$ZodIssue;
type Path = readonly (string | number)[];

/** A document's value, and the JSON Schema of what it may be. */
interface Document {
  raw: unknown;
  schema: () => Json;
}

/** What the schema found wrong with a document's value, one issue for each thing to mend; at most `most`. */
export function schemaIssues(error: z.ZodError, document: Document, most: number): Issue[] {
  return error.issues
    .slice(0, most)
    .flatMap((issue) => toIssues(issue, [], document))
    .slice(0, most);
}

function toIssues(issue: ZodIssue, base: Path, document: Document): Issue[] {
  const { raw } = document;
  const path = [...base, ...issue.path.map((key) => (typeof key === 'number' ? key : String(key)))];
  const value = valueAt(raw, path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return unknownKeys(path, issue.keys, document.schema());
    case 'invalid_union':
      return unionIssues(issue, path, document);
    case 'invalid_key':
      return issue.issues.map((inner) => ({
        ...withHint({ path, message: inner.message }, inner),
        at: 'key' as const,
      }));
    case 'invalid_type':
      return wrongType(path, [issue.expected], value, document);
    case 'invalid_value': {
      if (value === undefined) return missing(path, document);
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
          hint: typeof value === 'string' ? hintFor(value, values) : undefined,
        },
      ];
    }
    default:
      return [withHint({ path, message: `${place(path)}${issue.message}` }, issue)];
  }
}

/** What is meant by a text that is none of the known ones: a list of them, an event of Actions, or a slip of the pen. */
function hintFor(value: string, known: readonly string[]): string | undefined {
  const parts = partsOf(value);
  if (parts.length > 1 && parts.every((part) => known.includes(part))) {
    return `write a list: ${asList(parts)}`;
  }
  const isEvent = known.includes('workflow_run') && Object.hasOwn(EVENTS, value);
  return (isEvent ? EVENTS[value] : undefined) ?? didYouMean(value, known);
}

/** Only the alternative that was meant is worth reading: the one whose type is right. */
function unionIssues(
  issue: Extract<ZodIssue, { code: 'invalid_union' }>,
  path: Path,
  document: Document,
): Issue[] {
  const value = valueAt(document.raw, path);
  const meant = issue.errors.find((branch) => !branch.some((inner) => isWrongType(inner, value)));
  if (meant !== undefined) return meant.flatMap((inner) => toIssues(inner, path, document));
  const expected = issue.errors.flat().flatMap((inner) => {
    if (inner.path.length > 0) return [];
    if (inner.code === 'invalid_value') return ['string'];
    return inner.code === 'invalid_type' ? [inner.expected] : [];
  });
  return wrongType(path, expected, value, document);
}

function isWrongType(inner: ZodIssue, value: unknown): boolean {
  if (inner.path.length > 0) return false;
  const isPlace = typeof value === 'object' && value !== null;
  return inner.code === 'invalid_type' || (inner.code === 'invalid_value' && isPlace);
}

function wrongType(
  path: Path,
  expected: readonly string[],
  value: unknown,
  document: Document,
): Issue[] {
  if (value === undefined && path.length > 0) return missing(path, document);
  if (path.length === 0) {
    return [
      { path, message: `a deployment spec is a map of keys, and this is ${typeName(value)}` },
    ];
  }
  const names = [...new Set(expected.map((type) => TYPE_NAMES[type] ?? type))];
  return [
    {
      path,
      message: `${place(path)}must be ${names.join(' or ')}, and is ${typeName(value)}`,
      hint: typeHint(path, expected, value),
    },
  ];
}

function typeHint(path: Path, expected: readonly string[], value: unknown): string | undefined {
  const key = path.at(-1);
  const isText = expected.includes('string');
  if (typeof value === 'number' && isText && DURATIONS.has(String(key))) {
    return 'write it like 90s, 15m or 1h30m';
  }
  if (value === null && isText) return 'write "" for an empty text';
  const name = typeof key === 'number' ? `${String(path.at(-2))}[]` : (key ?? '');
  const example = Object.hasOwn(EXAMPLES, name) ? EXAMPLES[name] : undefined;
  if (example !== undefined) return `write it like this: ${example}`;
  if (typeof value === 'string' && expected.includes('boolean')) {
    return 'write true or false, without quotes';
  }
  const isScalar = typeof value === 'boolean' || typeof value === 'number';
  return isScalar && isText ? `put it in quotes: "${String(value)}"` : undefined;
}

const DURATIONS = new Set(['timeout', 'backoff', 'soak', 'ttl', 'every', 'wait', 'window']);

/** How a value is written, for those whose form is not easily guessed. */
const EXAMPLES: Record<string, string> = {
  on: 'on: { push: { branches: [main] } }',
  push: 'push: { branches: [main] }',
  release: 'release: { types: [published] }',
  workflow_run: 'workflow_run: { workflows: [CI], branches: [main] }',
  hook: 'hook: { id: shop }',
  deployment: 'deployment: { spec: staging, soak: 30m }',
  schedule: 'schedule: { cron: "0 6 * * 1-5" }',
  batch: 'batch: { window: 5m }',
  gates: 'gates: [{ approve: { timeout: 24h } }]',
  concurrency: 'concurrency: { lane: shop, queue: all }',
  env: 'env: { NODE_ENV: production }',
  limits: 'limits: { memory: 2Gi }',
  steps: 'steps: [{ run: npm ci }, { run: npm run deploy }]',
  'steps[]': '- run: npm ci',
  retry: 'retry: { attempts: 3, backoff: 2s }',
  extract: 'extract: { tag: $.push_data.tag }',
  secrets: 'secrets: [REGISTRY_TOKEN]',
  notify: 'notify: [{ on: [failed], webhook: { url: "https://example.com/hook" } }]',
  'notify[]': '- webhook: { url: "https://example.com/hook" }',
  webhook: 'webhook: { url: "https://example.com/hook" }',
  payload: 'payload: { sha: "${{ run.sha }}" }',
  ...examplesOf(NOTIFY_FORMS),
};

function examplesOf(forms: Record<string, NotifyForm>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(forms).flatMap(([key, { example }]) =>
      example === undefined ? [] : [[key, example]],
    ),
  );
}

/** Nothing where the key is there, misspelt: that is said beside it. */
function missing(path: Path, { raw, schema }: Document): Issue[] {
  const within = path.slice(0, -1);
  const key = String(path.at(-1));
  const known = knownKeys(schema(), within);
  const isMisspelt = Object.keys(Object(valueAt(raw, within))).some(
    (one) => !known.includes(one) && unknownHint(one, within, known) === didYouMean(key, [key]),
  );
  if (isMisspelt) return [];
  const where = within.length === 0 ? '' : ` in ${dotted(within)}`;
  return [{ path: within, message: `"${key}" is missing${where}` }];
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
};

const PULL_REQUEST = 'write it as a map, in a spec of its own: on: { pull_request: {} }';
const WORKFLOW = 'use workflow_run with the workflow that is to have succeeded';

/** Events of GitHub Actions that start nothing here, and what does. */
const EVENTS: Record<string, string> = {
  workflow_dispatch: 'nothing has to be set for that: deploy by hand with mainsheet deploy <spec>',
  schedule: 'write it as a map: on: { schedule: { cron: "0 6 * * 1-5" } }',
  pull_request: PULL_REQUEST,
  pull_request_target: PULL_REQUEST,
  pull_request_review: PULL_REQUEST,
  merge_group: 'use push: what the merge queue merges is pushed to the branch',
  repository_dispatch:
    'let a workflow in GitHub Actions hear it, and use workflow_run with its name',
  workflow_call: WORKFLOW,
  check_run: WORKFLOW,
  check_suite: WORKFLOW,
  status: WORKFLOW,
  create: 'use push: it is started by new branches and tags too',
  tag: 'use push with "tags"',
  tags: 'use push with "tags"',
  branches: 'it belongs below "push"',
  registry_package: WORKFLOW,
  deployment:
    'write it as a map, with the spec whose runs start this one: on: { deployment: { spec: staging } }',
  deployment_status: 'Mainsheet makes the Deployments itself; use push, release or workflow_run',
};

function unknownKeys(path: Path, keys: readonly string[], schema: Json): Issue[] {
  const known = knownKeys(schema, path);
  return keys.slice(0, MOST_UNKNOWN).map((key) => ({
    path: [...path, key],
    at: 'key',
    message: `unknown key "${key.slice(0, 100)}"`,
    hint: unknownHint(key, path, known),
  }));
}

function unknownHint(key: string, path: Path, known: readonly string[]): string {
  const isEvent = path.at(-1) === 'on' && path.length === 1 && Object.hasOwn(EVENTS, key);
  return (
    (isEvent ? EVENTS[key] : undefined) ??
    (Object.hasOwn(HABITS, key) ? HABITS[key] : undefined) ??
    didYouMean(key, known) ??
    `known keys here: ${known.join(', ')}`
  );
}

function withHint(issue: Issue, source: ZodIssue): Issue {
  const hint: unknown = source.code === 'custom' ? source.params?.['hint'] : undefined;
  return typeof hint === 'string' ? { ...issue, hint } : issue;
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
