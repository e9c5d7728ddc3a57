import { isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { Document } from 'yaml';
import { SECRET_NAME } from '../lib/names.ts';
import type { Scope } from './cel.ts';
import { checkCondition, checkExpression, checkTemplate, notListed } from './expression-checks.ts';
import type { Form, TextRule } from './form.ts';
import { NOTIFY_FORMS } from './notify/index.ts';
import { PROBLEM_LIMIT, type Issue } from './problem.ts';
import { checkUrlTemplate } from './render-url.ts';
import { checkRunText } from './run-checks.ts';
import { STEP_FORMS } from './steps/index.ts';
import { hasTemplate } from './template.ts';
import { isRecord, valueAt } from '../lib/json.ts';

type Path = readonly (string | number)[];

/**
 * The rules of a spec that the schema cannot know: expressions, where templates are allowed, and that every secret that
 * is used is listed. Works on the raw value, so that these problems are reported together with the schema's. It stops where
 * there are more than are reported.
 */
export function checkDocument(raw: unknown): Issue[] {
  const secrets = new Set(listedSecrets(raw));
  const issues: Issue[] = [];
  for (const [path, text] of stringsIn(raw, [])) {
    issues.push(...checkText(path, text, secrets));
    if (issues.length >= PROBLEM_LIMIT) break;
  }
  return issues;
}

/** Environment values that YAML reads as another number than the one written: `1.10` is 1.1. */
export function checkNumbers(document: Document.Parsed): Issue[] {
  return envsIn(document).flatMap(([path, env]) => {
    if (!isMap(env)) return [];
    return env.items.flatMap(({ key, value }) => {
      if (!isScalar(key) || !isScalar(value) || typeof value.value !== 'number') return [];
      const { source } = value;
      if (source === undefined || source === String(value.value)) return [];
      const message = `YAML reads ${source} as the number ${value.value}`;
      return [{ path: [...path, String(key.value)], message, hint: `quote it: "${source}"` }];
    });
  });
}

function checkText(at: Path, text: string, secrets: ReadonlySet<string>): Issue[] {
  // The rules of both are the same.
  const path = at[0] === 'teardown' ? ['steps', ...at.slice(1)] : at;
  const { check = refuseTemplate } = CHECKS.find(({ pattern }) => matches(path, pattern)) ?? {};
  return check(text, secrets).map((issue) => ({ ...issue, path: at }));
}

type Found = Omit<Issue, 'path'>;
type Check = (text: string, secrets: ReadonlySet<string>) => Found[];

const isCondition =
  (scope?: Scope): Check =>
  (text) =>
    checkCondition(text, scope);
const isExpression =
  (scope: Scope): Check =>
  (text, secrets) =>
    checkExpression(text, scope, secrets);

const isListed: Check = (text, secrets) => {
  // What is no name of one the schema says, and does not repeat it: it may be the secret itself.
  if (secrets.has(text) || !SECRET_NAME.test(text)) return [];
  return [notListed(text, secrets)];
};

/** What the words of forms say of a text. */
const RULES: Record<TextRule, Check> = {
  template: checkTemplate,
  url: (text, secrets) => [...checkTemplate(text, secrets), ...checkUrlTemplate(text)],
  secret: isListed,
  script: checkRunText,
  'remote-script': (text) => checkRunText(text, undefined),
  'response-condition': isCondition('response'),
  'response-expression': isExpression('response'),
};

/** What a text has to be, by its path. Elsewhere it holds no template. */
const CHECKS = Object.entries({
  if: isCondition(),
  'on.hook.if': isCondition('hook'),
  'on.hook.*.if': isCondition('hook'),
  'on.hook.reason': isExpression('hook'),
  'on.hook.*.reason': isExpression('hook'),
  'batch.key': isExpression('condition'),
  'env.*': checkTemplate,
  'steps.*.env.*': checkTemplate,
  ...ofForms('steps.*', STEP_FORMS),
  ...ofForms('notify.*', NOTIFY_FORMS),
} satisfies Record<string, Check>).map(([path, check]) => ({ pattern: path.split('.'), check }));

function ofForms(list: string, forms: Record<string, Form>): Record<string, Check> {
  const checks = Object.entries(forms).flatMap(([key, { texts }]) =>
    Object.entries(texts).map(([path, rule]): [string, Check] => [
      [list, key, ...(path === '' ? [] : [path])].join('.'),
      RULES[rule],
    ]),
  );
  return Object.fromEntries(checks);
}

/** `http (url, headers, body)`: the keys of each kind whose texts may hold a template. */
function templated(forms: Record<string, Form>): string[] {
  return Object.entries(forms).flatMap(([key, { texts }]) => {
    const names = Object.entries(texts).flatMap(([path, rule]) =>
      rule === 'template' || rule === 'url' ? path.split('.', 1) : [],
    );
    return names.length === 0 ? [] : [`${key} (${names.join(', ')})`];
  });
}

function refuseTemplate(text: string): Found[] {
  if (!hasTemplate(text)) return [];
  return [
    {
      message: '"${{ … }}" is not evaluated here',
      hint: `it works in "env", and in ${[...templated(STEP_FORMS), ...templated(NOTIFY_FORMS)].join(', ')}`,
      offset: text.indexOf('${{'),
    },
  ];
}

/** `*`: any one key; `**` at the end: what is there, at any depth. */
function matches(path: Path, pattern: readonly string[]): boolean {
  if (pattern.at(-1) === '**') {
    const above = pattern.slice(0, -1);
    return matches(path.slice(0, above.length), above);
  }
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

/** Every `env` with its path: the spec's and those of steps. */
function envsIn(document: Document.Parsed): [Path, unknown][] {
  const resolved = (node: unknown) => (isAlias(node) ? node.resolve(document) : node);
  const at = (node: unknown, key: string) => {
    const map = resolved(node);
    return isMap(map) ? resolved(map.get(key, true)) : undefined;
  };
  const ofSteps = ['steps', 'teardown'].flatMap((list) => {
    const steps = at(document.contents, list);
    return (isSeq(steps) ? steps.items : []).map((step, index): [Path, unknown] => [
      [list, index, 'env'],
      at(step, 'env'),
    ]);
  });
  return [[['env'], at(document.contents, 'env')], ...ofSteps];
}

function listedSecrets(raw: unknown): string[] {
  const listed = valueAt(raw, ['secrets']);
  return (Array.isArray(listed) ? listed : [listed]).filter(
    (name) => typeof name === 'string' && SECRET_NAME.test(name),
  );
}
