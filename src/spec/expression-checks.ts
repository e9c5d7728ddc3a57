import type { ASTNode } from '@marcbachmann/cel-js';
import { describeError, hintOf } from '../lib/errors.ts';
import type { DeploymentSpec } from '../model/deployment-spec.ts';
import type { Run } from '../model/run.ts';
import type { GithubContext } from './github-context.ts';
import { ExpressionError, parseExpression, type Scope } from './cel.ts';
import { didYouMean, PROBLEM_LIMIT, type Issue } from './problem.ts';
import { compileRegularExpression } from './regular-expression.ts';
import { parseTemplate } from './template.ts';

/** What is wrong within one string; its place in the document is added by the caller. */
export type TextIssue = Required<Pick<Issue, 'message' | 'offset'>> & Pick<Issue, 'hint'>;

/** Everything that is wrong with a spec's `if`. */
export function checkCondition(source: string, scope: Scope = 'condition'): TextIssue[] {
  if (source.includes('${{')) {
    return [
      {
        message: '"if" is an expression already',
        hint: 'write it without "${{" and "}}"',
        offset: source.indexOf('${{'),
      },
    ];
  }
  const issues = checkExpression(source, scope, new Set());
  if (issues.length > 0) return issues;
  const { type } = parseExpression(source, scope);
  if (type === 'bool' || type === 'dyn') return [];
  return [{ message: `"if" must be true or false; this gives a value of type ${type}`, offset: 0 }];
}

/** What is wrong with the `${{ … }}` of a text, as far as it is reported. `secrets`: the names that the spec lists. */
export function checkTemplate(text: string, secrets: ReadonlySet<string>): TextIssue[] {
  const issues: TextIssue[] = [];
  for (const part of parseTemplate(text)) {
    if (issues.length >= PROBLEM_LIMIT) break;
    if (part.kind === 'text') continue;
    if (part.kind === 'unclosed') {
      issues.push({ message: '"${{" without its "}}"', offset: part.offset });
      continue;
    }
    const found = checkExpression(part.source, 'template', secrets);
    issues.push(...found.map((issue) => ({ ...issue, offset: issue.offset + part.offset })));
  }
  return issues;
}

/** The fields of `github` that an expression names, each once. Throws an ExpressionError when it cannot be read. */
export function githubFieldsIn(source: string): (keyof GithubContext)[] {
  const named = nodesOf(parseExpression(source, 'condition').ast).map(accessTo);
  const fields = new Set<string | undefined>(
    named.map((access) => (access?.root === 'github' ? access.field : undefined)),
  );
  return Object.keys(GITHUB_FIELDS).filter((field): field is keyof GithubContext =>
    fields.has(field),
  );
}

/** Everything that is wrong with an expression. */
export function checkExpression(
  source: string,
  scope: Scope,
  secrets: ReadonlySet<string>,
): TextIssue[] {
  try {
    const { ast } = parseExpression(source, scope);
    return nodesOf(ast).flatMap((node) => checkNode(node, secrets));
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    return [{ message: error.message, hint: error.hint, offset: error.offset }];
  }
}

/** Fields that a template can name; the compiler keeps the lists whole. */
const RUN_FIELDS = {
  id: true,
  spec: true,
  specDigest: true,
  repository: true,
  environment: true,
  lane: true,
  sequence: true,
  ref: true,
  branch: true,
  tag: true,
  sha: true,
  event: true,
  delivery: true,
  batch: true,
  cause: true,
  state: true,
  reason: true,
  fault: true,
  cancelRequested: true,
  attempts: true,
  outputs: true,
  createdAt: true,
  startedAt: true,
  finishedAt: true,
} satisfies Record<Exclude<keyof Run, 'maskedOutputs'>, true>;

const SPEC_FIELDS = {
  name: true,
  repository: true,
  environment: true,
  productionEnvironment: true,
  transientEnvironment: true,
  on: true,
  if: true,
  concurrency: true,
  batch: true,
  gates: true,
  afterRollback: true,
  badge: true,
  comments: true,
  plan: true,
  onInterrupt: true,
  timeoutMs: true,
  env: true,
  secrets: true,
  steps: true,
  teardown: true,
  feedback: true,
  notify: true,
} satisfies Record<keyof DeploymentSpec, true>;

const GITHUB_FIELDS = {
  event_name: true,
  event: true,
  ref: true,
  ref_name: true,
  ref_type: true,
  sha: true,
  actor: true,
  repository: true,
} satisfies Record<keyof GithubContext, true>;

const FIELDS = { run: RUN_FIELDS, spec: SPEC_FIELDS, github: GITHUB_FIELDS };

function checkNode(node: ASTNode, secrets: ReadonlySet<string>): TextIssue[] {
  if (node.op === 'rcall' && node.args[0] === 'matches')
    return checkRegularExpression(node.args[2][0]);
  const access = accessTo(node);
  if (access === undefined) return [];
  const { root, field, offset } = access;
  if (root === 'secrets') return checkSecret(field, offset, secrets);
  if (field === undefined) return [];
  const fields = Object.keys(FIELDS[root]);
  if (fields.includes(field)) return [];
  const hint = didYouMean(field, fields) ?? `its fields are ${fields.join(', ')}`;
  return [{ message: `${root} has no field "${field}"`, hint, offset }];
}

function checkRegularExpression(node: ASTNode | undefined): TextIssue[] {
  if (node?.op !== 'value' || typeof node.args !== 'string') return [];
  try {
    compileRegularExpression(node.args);
    return [];
  } catch (error) {
    return [{ message: describeError(error), hint: hintOf(error), offset: node.start }];
  }
}

function checkSecret(
  name: string | undefined,
  offset: number,
  secrets: ReadonlySet<string>,
): TextIssue[] {
  if (name === undefined) {
    return [
      {
        message: '"secrets" can only be used with the name of one secret',
        hint: 'write secrets.NAME',
        offset,
      },
    ];
  }
  return secrets.has(name) ? [] : [{ ...notListed(name, secrets), offset }];
}

/** Listed secrets among which the nearest is looked for: as many as a spec may have. */
const MOST_KNOWN = 100;

/** What is said of a secret that the spec does not list. */
export function notListed(name: string, secrets: ReadonlySet<string>): Omit<TextIssue, 'offset'> {
  const known = [...secrets].slice(0, MOST_KNOWN);
  const hint = didYouMean(name, known) ?? `add it: secrets: [${[...known, name].join(', ')}]`;
  return { message: `the secret ${name} is not in this spec's "secrets"`, hint };
}

/** The root, and the field where it is named in the expression, for the roots whose fields are known at load. */
function accessTo(
  node: ASTNode,
): { root: KnownRoot; field: string | undefined; offset: number } | undefined {
  if (node.op === '.' || node.op === '[]') {
    const [receiver, field] = node.args;
    if (receiver.op !== 'id' || !isKnownRoot(receiver.args)) return undefined;
    const name = typeof field === 'string' ? field : field.op === 'value' ? field.args : undefined;
    return {
      root: receiver.args,
      field: typeof name === 'string' ? name : undefined,
      offset: receiver.start,
    };
  }
  // A bare `secrets` would hand out all of them at once. Those behind a field are told apart in `nodesOf`.
  if (node.op === 'id' && node.args === 'secrets') {
    return { root: 'secrets', field: undefined, offset: node.start };
  }
  return undefined;
}

type KnownRoot = keyof typeof FIELDS | 'secrets';

function isKnownRoot(name: string): name is KnownRoot {
  return name === 'secrets' || Object.hasOwn(FIELDS, name);
}

/** All nodes of an expression, except the roots that stand directly before a field. */
function nodesOf(ast: ASTNode): ASTNode[] {
  const nodes: ASTNode[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) {
      for (const item of value) visit(item);
      return;
    }
    if (!isNode(value)) return;
    nodes.push(value);
    const access = value.op === '.' || value.op === '[]' ? value.args : undefined;
    visit(access?.[0].op === 'id' ? access[1] : value.args);
  };
  visit(ast);
  return nodes;
}

/** Whether a value in an expression's tree is a node of it. */
export function isNode(value: unknown): value is ASTNode {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
}
