import { isScalar } from 'yaml';
import type { Document } from 'yaml';
import { SECRET_NAME } from '../lib/names.ts';
import { checkCondition, checkExpression, checkTemplate } from './expression-checks.ts';
import { find } from './position.ts';
import { didYouMean, type Issue } from './problem.ts';
import { checkUrlTemplate } from './render-url.ts';
import { checkRunText } from './run-checks.ts';
import { hasTemplate } from './template.ts';
import { isRecord, valueAt } from '../lib/json.ts';

type Path = readonly (string | number)[];

/**
 * The rules of a spec that the schema cannot know: expressions, where templates are allowed, and that every secret that
 * is used is listed. Works on the raw value, so that these problems are reported together with the schema's.
 */
export function checkDocument(raw: unknown): Issue[] {
  const secrets = new Set(listedSecrets(raw));
  return [...stringsIn(raw, [])].flatMap(([path, text]) => checkText(path, text, secrets));
}

/** Environment values that YAML reads as another number than the one written: `1.10` is 1.1. */
export function checkNumbers(document: Document.Parsed, raw: unknown): Issue[] {
  const issues: Issue[] = [];
  for (const path of envPaths(raw)) {
    const { node } = find(document, path);
    if (!isScalar(node) || typeof node.value !== 'number') continue;
    if (node.source === undefined || node.source === String(node.value)) continue;
    issues.push({
      path,
      message: `YAML reads ${node.source} as the number ${node.value}`,
      hint: `quote it: "${node.source}"`,
    });
  }
  return issues;
}

function checkText(at: Path, text: string, secrets: ReadonlySet<string>): Issue[] {
  // The rules of both are the same.
  const path = at[0] === 'teardown' ? ['steps', ...at.slice(1)] : at;
  return checkAt(path, text, secrets).map((issue) => ({ ...issue, path: at }));
}

function checkAt(path: Path, text: string, secrets: ReadonlySet<string>): Issue[] {
  if (matches(path, ['if'])) return checkCondition(text).map((issue) => ({ path, ...issue }));
  if (matches(path, ['on', 'hook', 'if']) || matches(path, ['on', 'hook', '*', 'if'])) {
    return checkCondition(text, 'hook').map((issue) => ({ path, ...issue }));
  }
  if (matches(path, ['on', 'hook', 'reason']) || matches(path, ['on', 'hook', '*', 'reason'])) {
    return checkExpression(text, 'hook', secrets).map((issue) => ({ path, ...issue }));
  }
  if (matches(path, ['batch', 'key'])) {
    return checkExpression(text, 'condition', secrets).map((issue) => ({ path, ...issue }));
  }
  if (matches(path, ['steps', '*', 'ssh', 'run'])) {
    return checkRunText(text, undefined).map((issue) => ({ path, ...issue }));
  }
  if (matches(path, ['steps', '*', 'run'])) {
    return checkRunText(text, secrets).map((issue) => ({ path, ...issue }));
  }
  if (matches(path, ['steps', '*', 'http', 'expect', 'if']) || matches(path, UNTIL)) {
    return checkCondition(text, 'response').map((issue) => ({ path, ...issue }));
  }
  if (matches(path, ['steps', '*', 'http', 'outputs', '*']) || matches(path, UNTIL_URL)) {
    return checkExpression(text, 'response', secrets).map((issue) => ({ path, ...issue }));
  }
  if (SECRETS.some((pattern) => matches(path, pattern)) && !secrets.has(text)) {
    // The schema says so of it, and does not repeat it: it may be the secret itself.
    if (!SECRET_NAME.test(text)) return [];
    const hint =
      didYouMean(text, [...secrets]) ?? `add it: secrets: [${[...secrets, text].join(', ')}]`;
    return [{ path, message: `the secret ${text} is not in this spec's "secrets"`, hint }];
  }
  if (!hasTemplate(text)) return [];
  if (isTemplated(path)) {
    const issues = checkTemplate(text, secrets);
    const isUrl = URLS.some((pattern) => matches(path, pattern));
    return [...issues, ...(isUrl ? checkUrlTemplate(text) : [])].map((issue) => ({
      path,
      ...issue,
    }));
  }
  return [
    {
      path,
      message: '"${{ … }}" is not evaluated here',
      hint: 'it works in "env", in an http step\'s "url", "headers" and "body", in a workflow step\'s "ref", "inputs" and "client-payload", in a terraform step\'s "workspace" and "vars", in a dispatch\'s "payload" and "event-type", in the "url" of webhook and cloudevents, and in the "text" of slack, discord, teams and email',
      offset: text.indexOf('${{'),
    },
  ];
}

const UNTIL = ['steps', '*', 'http', 'until', 'expression'];
const UNTIL_URL = ['steps', '*', 'http', 'until', 'url'];
const SECRETS = [
  ...['webhook', 'cloudevents', 'slack', 'discord', 'teams'].map((kind) => [
    'notify',
    '*',
    kind,
    'secret',
  ]),
  ['notify', '*', 'slack', 'token'],
  ['steps', '*', 'http', 'secret'],
  ['steps', '*', 'awx', 'secret'],
  ['steps', '*', 'jenkins', 'secret'],
  ['steps', '*', 'ssh', 'key'],
];
const URLS = [
  ['notify', '*', 'webhook', 'url'],
  ['notify', '*', 'cloudevents', 'url'],
  ['steps', '*', 'http', 'url'],
];
const TEMPLATED = [
  ['env', '*'],
  ['steps', '*', 'env', '*'],
  ['notify', '*', 'dispatch', 'event-type'],
  ...['slack', 'discord', 'teams', 'email'].map((kind) => ['notify', '*', kind, 'text']),
  ['steps', '*', 'http', 'headers', '*'],
  ['steps', '*', 'jenkins', 'parameters', '*'],
  ['steps', '*', 'workflow', 'ref'],
  ['steps', '*', 'terraform', 'workspace'],
  ['steps', '*', 'workflow', 'inputs', '*'],
  ['steps', '*', 'workflow', 'event-type'],
  ...URLS,
];
/** Texts at any depth below these. */
const TEMPLATED_BELOW = [
  ['notify', '*', 'dispatch', 'payload'],
  ['steps', '*', 'http', 'body'],
  ['steps', '*', 'awx', 'extra-vars'],
  ['steps', '*', 'workflow', 'client-payload'],
  ['steps', '*', 'terraform', 'vars'],
];

function isTemplated(path: Path): boolean {
  if (TEMPLATED.some((pattern) => matches(path, pattern))) return true;
  return TEMPLATED_BELOW.some((pattern) => matches(path.slice(0, pattern.length), pattern));
}

function matches(path: Path, pattern: readonly string[]): boolean {
  return (
    path.length === pattern.length &&
    pattern.every((segment, index) => segment === '*' || segment === path[index])
  );
}

function* stringsIn(value: unknown, path: Path): Generator<[Path, string]> {
  if (typeof value === 'string') yield [path, value];
  else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* stringsIn(item, [...path, index]);
  } else if (isRecord(value)) {
    for (const [key, item] of Object.entries(value)) yield* stringsIn(item, [...path, key]);
  }
}

function* envPaths(raw: unknown): Generator<Path> {
  if (!isRecord(raw)) return;
  for (const name of keysAt(raw, ['env'])) yield ['env', name];
  for (const list of ['steps', 'teardown']) {
    const steps: unknown[] = Array.isArray(raw[list]) ? raw[list] : [];
    for (const index of steps.keys()) {
      for (const name of keysAt(raw, [list, index, 'env'])) yield [list, index, 'env', name];
    }
  }
}

function keysAt(raw: unknown, path: Path): string[] {
  const found = valueAt(raw, path);
  return isRecord(found) ? Object.keys(found) : [];
}

function listedSecrets(raw: unknown): string[] {
  const listed = valueAt(raw, ['secrets']);
  return (Array.isArray(listed) ? listed : [listed]).filter(
    (name) => typeof name === 'string' && SECRET_NAME.test(name),
  );
}
