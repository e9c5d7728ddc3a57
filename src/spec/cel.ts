import { createContext, Script, type Context } from 'node:vm';
import type {
  ASTNode,
  Environment,
  ParseError,
  ParseResult,
  TypeError as CelTypeError,
} from '@marcbachmann/cel-js';
import { TerminalError } from '../lib/errors.ts';
import { cel } from './cel-library.ts';
import { meter, STEP_LIMIT, type Meter } from './cel-meter.ts';
import { didYouMean } from './problem.ts';

const TEMPLATE_ROOTS = ['run', 'event', 'github', 'spec', 'inputs', 'outputs', 'secrets'] as const;
/** What is known of a request to a hook. */
const REQUEST_ROOTS = ['body', 'headers', 'query'] as const;
type Root = (typeof TEMPLATE_ROOTS)[number] | (typeof REQUEST_ROOTS)[number] | 'hook' | 'response';

/** What expressions may speak of. `if` does not see all: when it is looked at there is no run yet. */
const SCOPES = {
  condition: ['event', 'github', 'spec', 'inputs'],
  /** A request that was not stored yet. */
  request: REQUEST_ROOTS,
  /** A stored request. */
  hook: ['body', 'inputs', 'hook'],
  template: TEMPLATE_ROOTS,
  /** What a step was answered. */
  response: ['response'],
} as const satisfies Record<string, readonly Root[]>;
export type Scope = keyof typeof SCOPES;

/** The values behind the roots: plain JSON-like data. */
export type ExpressionContext = Partial<Record<Root, unknown>>;

/** UTF-16 units in one expression. */
const EXPRESSION_LIMIT = 4096;
/** Milliseconds that one evaluation may take: a second line behind its steps, which are counted. */
const EVALUATION_LIMIT_MS = 1000;
/** How often an evaluation is begun that got no processor to speak of. */
const MOST_ATTEMPTS = 5;

const LIMITS = { maxAstNodes: 2000, maxDepth: 50, maxListElements: 200, maxMapEntries: 200 };

/** Each is made with its first expression. */
const environments: Partial<Record<Scope, Environment>> = {};

/** An expression that is wrong, or that could not be evaluated. Its message holds no value of the context. */
export class ExpressionError extends TerminalError {
  /** UTF-16 units into the expression. */
  readonly offset: number;

  constructor(code: string, message: string, offset: number, hint?: string) {
    super(code, message, { hint });
    this.offset = offset;
  }
}

export interface Expression {
  source: string;
  /** The tree as it was parsed, before type checking. */
  ast: ASTNode;
  /** The type of its value where it is known without the values: `bool`, `string`, …, otherwise `dyn`. */
  type: string;
  /** Throws an ExpressionError. Integers come back as bigint, as CEL has it. */
  evaluate(context: ExpressionContext): unknown;
}

/**
 * Parses and type-checks a CEL expression that may use the roots of `scope`. Throws an ExpressionError (`bad-expression`) with the
 * offset of the fault. Integers in JSON payloads are doubles in CEL: compare them freely, calculate with `int(…)`.
 *
 * https://github.com/google/cel-spec/blob/master/doc/langdef.md
 */
export function parseExpression(source: string, scope: Scope = 'template'): Expression {
  if (source.length > EXPRESSION_LIMIT) {
    throw bad(`the expression is longer than ${EXPRESSION_LIMIT} characters`);
  }
  if (source.trim() === '') throw bad('the expression is empty');
  const parsed = parse(source, scope);
  const { valid, type = 'dyn', error } = parsed.check();
  if (!valid) throw translateFault(error, source, scope);
  const steps = meter(parsed.ast);
  return {
    source,
    ast: parsed.ast,
    type,
    evaluate: (context) => evaluate(source, parsed, steps, context),
  };
}

function createEnvironment(scope: Scope): Environment {
  const environment = new (cel().Environment)({
    homogeneousAggregateLiterals: false,
    limits: LIMITS,
  });
  for (const root of SCOPES[scope]) environment.registerVariable(root, 'dyn');
  return environment;
}

function parse(source: string, scope: Scope): ParseResult {
  const environment = (environments[scope] ??= createEnvironment(scope));
  try {
    return environment.parse(source);
  } catch (error) {
    throw translateFault(error, source, scope);
  }
}

/** The library's word for what is wrong with the expression itself, in ours. */
function translateFault(error: unknown, source: string, scope: Scope): ExpressionError {
  const { ParseError: Parsing, TypeError: Typing } = cel();
  const known = error instanceof Parsing || error instanceof Typing ? error : undefined;
  const offset = Math.min(known?.range?.start ?? 0, source.length);
  const summary = known?.summary ?? 'it cannot be read';
  const unknownName = /^Unknown variable: (\w+)$/.exec(summary)?.[1];
  if (unknownName !== undefined) {
    const hint = unknownNameHint(unknownName, scope);
    return bad(`unknown name "${unknownName}" in the expression`, offset, hint);
  }
  const hint = habitHint(summary, known?.node) ?? misspeltFunctionHint(summary, scope);
  return bad(`the expression is not valid CEL: ${lowerFirst(summary)}`, offset, hint);
}

function bad(message: string, offset = 0, hint?: string): ExpressionError {
  return new ExpressionError('bad-expression', message, offset, hint);
}

/** For what expressions of GitHub Actions, and of other languages, have in other words. */
function habitHint(summary: string, node: (ParseError | CelTypeError)['node']): string | undefined {
  if (summary === 'Unexpected character: =') return 'equal is "==" and different is "!="';
  if (summary === 'Unexpected token: EOF') return 'it ends before it is complete';
  if (!isCall(node)) return undefined;
  const [name, [text, part]] = node.args;
  if (/^(?:contains|startsWith|endsWith)$/.test(name) && text !== undefined && part !== undefined) {
    return `write ${nodeText(text) ?? 'text'}.${name}(${nodeText(part) ?? 'part'})`;
  }
  return /^(?:success|failure|always|cancelled)$/.test(name)
    ? 'nothing has run yet when this is looked at; a step runs when all before it have succeeded'
    : undefined;
}

function misspeltFunctionHint(summary: string, scope: Scope): string | undefined {
  const name = /^found no matching overload for '(?:\w+\.)?(\w+)\(/.exec(summary)?.[1];
  const known = environments[scope]?.getDefinitions().functions.map((one) => one.name) ?? [];
  return name === undefined || known.includes(name) ? undefined : didYouMean(name, known);
}

function isCall(node: object | undefined): node is Extract<ASTNode, { op: 'call' }> {
  return node !== undefined && 'op' in node && node.op === 'call';
}

function unknownNameHint(name: string, scope: Scope): string {
  const roots: readonly string[] = SCOPES[scope];
  if ((TEMPLATE_ROOTS as readonly string[]).includes(name)) {
    return `only ${roots.slice(0, -1).join(', ')} and ${roots.at(-1)} exist when "if" is looked at`;
  }
  return didYouMean(name, roots) ?? `here you can use ${roots.join(', ')}`;
}

/** Runs the evaluation inside a script with a time limit: V8 then interrupts whatever is running. */
const arena: { evaluate: (() => unknown) | undefined } = { evaluate: undefined };
let realm: Context | undefined;
const script = new Script('evaluate()');

function evaluate(
  source: string,
  parsed: ParseResult,
  steps: Meter,
  context: ExpressionContext,
): unknown {
  steps.start();
  try {
    // The limit costs a thread each time: far more than what most expressions do.
    const value = steps.repeats ? inTime(steps, () => parsed(context)) : parsed(context);
    if (!steps.isOver()) return value;
  } catch (error) {
    if (!steps.isOver()) throw translateFailure(error, source);
  }
  throw failure(`${quote(source)} takes more than ${STEP_LIMIT} steps`);
}

/** V8 measures by the wall clock: on a starved machine the time may be over although hardly anything was done in it. */
function inTime(steps: Meter, act: () => unknown): unknown {
  realm ??= createContext(arena);
  for (let attempt = 1; ; attempt += 1) {
    const before = process.threadCpuUsage();
    arena.evaluate = act;
    try {
      return script.runInContext(realm, { timeout: EVALUATION_LIMIT_MS });
    } catch (error) {
      const { user, system } = process.threadCpuUsage(before);
      const isStarved = user + system < (EVALUATION_LIMIT_MS / 2) * 1000;
      if (!isTimeout(error) || !isStarved || attempt >= MOST_ATTEMPTS) throw error;
      steps.start();
    } finally {
      arena.evaluate = undefined;
    }
  }
}

/** What went wrong with the values. Never with a value in it: it could be a secret's. */
function translateFailure(error: unknown, source: string): ExpressionError {
  if (isTimeout(error)) {
    return failure(`${quote(source)} took longer than ${EVALUATION_LIMIT_MS} ms`);
  }
  if (error instanceof TerminalError && error.code === 'bad-regular-expression') {
    return failure(`${quote(source)} has no valid regular expression`, 0, error.hint);
  }
  if (!(error instanceof cel().EvaluationError))
    return failure(`${quote(source)} could not be evaluated`);
  const offset = error.range?.start ?? 0;
  const place = nodeText(error.node) ?? source;
  switch (error.code) {
    case 'no_such_key':
      return failure(`${place} does not exist`, offset, `test for it first with has(${place})`);
    case 'unknown_variable':
      return failure(`${place} does not exist here`, offset);
    case 'no_such_overload':
      return failure(
        `${quote(place)}: ${lowerFirst(error.summary)}`,
        offset,
        error.summary.includes('double') && error.summary.includes('int')
          ? 'numbers in a payload are doubles: use int(…) or write 1.0 for 1'
          : undefined,
      );
    case 'unsupported_type':
      // What the library looks at in an object of JSON instead of its prototype.
      return failure(
        `${quote(source)} cannot be evaluated: an object that it reads has a key "constructor"`,
        offset,
        'the sender has to name that key otherwise',
      );
    case 'no_matching_overload':
    case 'invalid_condition_type':
    case 'invalid_logical_operand':
      return failure(`${quote(place)}: ${lowerFirst(error.summary)}`, offset);
    default:
      return failure(`${quote(place)}: ${error.code.replaceAll('_', ' ')}`, offset);
  }
}

function isTimeout(error: unknown): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
  );
}

/** What went wrong with the values, of which there is none in it. */
export function failure(message: string, offset = 0, hint?: string): ExpressionError {
  return new ExpressionError('expression-failed', message, offset, hint);
}

function nodeText(node: ASTNode | undefined): string | undefined {
  if (node === undefined) return undefined;
  try {
    return cel().serialize(node);
  } catch {
    // The library writes macros back only in part.
    return undefined;
  }
}

function quote(source: string): string {
  return source.length > 120 ? `\`${source.slice(0, 117)}…\`` : `\`${source}\``;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
