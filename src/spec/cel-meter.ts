import type { ASTNode } from '@marcbachmann/cel-js';
import { cel } from './cel-library.ts';
import { compileRegularExpression } from './regular-expression.ts';
import { sizeOf } from './value-size.ts';
import { isRecord } from '../lib/json.ts';

/**
 * What one evaluation may do: an operation is a step, and so is each element that a macro visits, for each operation in its
 * body. Texts cost a step for a hundred characters read and for ten made. A million is about a tenth of a second.
 */
export const STEP_LIMIT = 1_000_000;

const ERROR_STEPS = 100;
const TIME_ZONE_STEPS = 1000;
const DURATION_LIMIT = 100;
/** To list a key of a map takes as long as so many steps. */
const KEY_STEPS = 4;

export interface Meter {
  /** Whether a macro does something for each element of a list: without one, each operation is done once at most. */
  repeats: boolean;
  /** Before each evaluation. */
  start(): void;
  /** Whether the evaluation was stopped. `||` and macros hold errors back, so their result alone does not say it. */
  isOver(): boolean;
}

/** A node as the evaluator sees it once the types are checked: `handle` gets the operands and gives the value. */
interface Checked {
  op: ASTNode['op'] | 'comprehension';
  args: unknown;
  meta?: { alternate?: unknown; macro?: unknown };
  handle?: (...operands: unknown[]) => unknown;
}

/**
 * Counts what the evaluation of a checked expression does, and ends it at the limit: by steps and not by time, so that the
 * same expression and payload have the same end on every machine. Regular expressions are RE2's, as CEL has them; the
 * library's own would backtrack.
 */
export function meter(ast: ASTNode): Meter {
  let left = STEP_LIMIT;
  const over = new (cel().EvaluationError)({ code: 'too_many_steps', message: 'too many steps' });
  const spend = (steps: number): void => {
    left -= steps;
    if (left < 0) throw over;
  };
  const matches = createMatches(spend);
  let repeats = false;
  for (const node of nodesBelow(ast)) {
    if (node.op === 'comprehension') repeats = true;
    const { handle } = node;
    if (handle === undefined) continue;
    node.handle = (...operands) => {
      const values = valuesOf(node, operands);
      spend(1);
      if (!UNTYPED.has(node.op)) for (const value of values) spend(KEY_STEPS * keysIn(value));
      spend(costBefore(node, values, left));
      try {
        const result = isMatches(node, values)
          ? matches(values[0], values[1])
          : handle(...operands);
        spend(costOf(node, result));
        return result;
      } catch (error) {
        if (error !== over) spend(ERROR_STEPS);
        throw error;
      }
    };
  }
  return {
    repeats,
    start: () => {
      left = STEP_LIMIT;
    },
    isOver: () => left < 0,
  };
}

/** The operands of a node: the library hands those of a call over in one list. */
function valuesOf(node: Checked, operands: readonly unknown[]): readonly unknown[] {
  const isCall = node.op === 'call' || node.op === 'rcall';
  if (isCall) return Array.isArray(operands[0]) ? operands[0] : [];
  const isUnary = node.op === '!_' || node.op === '-_' || node.op === '?:';
  return operands.slice(0, isUnary || node.op === 'comprehension' ? 1 : 2);
}

/** Operators that do not ask for the types of their operands. To know the type of a map, the library lists its keys. */
const UNTYPED: ReadonlySet<Checked['op']> = new Set(['.', '.?', '[]', '[?]', 'comprehension']);

function keysIn(value: unknown): number {
  return isRecord(value) ? Object.keys(value).length : 0;
}

/** What has to be known beforehand, because nothing stops what the engine does in one go. */
function costBefore(node: Checked, values: readonly unknown[], left: number): number {
  const [first, second] = values;
  switch (node.op) {
    case 'comprehension':
      return lengthOf(first) * countNodes(bodyOf(node));
    case '==':
    case '!=':
    case 'in':
      return (
        sizeOf(first, left) + (isRecord(second) && node.op === 'in' ? 0 : sizeOf(second, left))
      );
    case '+':
      return listLength(first) + listLength(second);
    case 'call':
    case 'rcall':
      return callCost(nameOf(node), values);
    default:
      return 0;
  }
}

function callCost(name: string, values: readonly unknown[]): number {
  const [first, second] = values;
  const read = values.reduce<number>((sum, value) => sum + textLength(value), 0) / 100;
  if (name === 'duration' && textLength(first) > DURATION_LIMIT) return Infinity;
  if (first instanceof Date && typeof second === 'string') return TIME_ZONE_STEPS;
  if (typeof first === 'string' && typeof second === 'string') {
    // At worst every character is compared with every other.
    const search = SEARCHES.has(name) ? (first.length * second.length) / 1000 : 0;
    // Every character may become an element.
    return read + search + (name === 'split' ? first.length : 0);
  }
  if (name === 'join') return read + listLength(first) * (1 + textLength(second) / 10);
  return read;
}

const SEARCHES = new Set(['contains', 'indexOf', 'lastIndexOf', 'split']);

function costOf(node: Checked, result: unknown): number {
  if (node.op !== '+' && node.op !== 'call' && node.op !== 'rcall') return 0;
  return textLength(result) / 10;
}

/** `matches`, in time that grows with the text only. The same pattern is compiled once in a row. */
function createMatches(spend: (steps: number) => void) {
  let last: { source: string; pattern: ReturnType<typeof compileRegularExpression> } | undefined;
  return (text: string, source: string): boolean => {
    if (last?.source !== source) {
      last = { source, pattern: compileRegularExpression(source) };
      spend(last.pattern.programSize());
    }
    spend((text.length * last.pattern.programSize()) / 100);
    return last.pattern.test(text);
  };
}

function isMatches(node: Checked, values: readonly unknown[]): values is readonly [string, string] {
  return (
    node.op === 'rcall' &&
    nameOf(node) === 'matches' &&
    values.length === 2 &&
    values.every((value) => typeof value === 'string')
  );
}

/** All nodes, those that macros were expanded to included. */
function nodesBelow(ast: unknown): Set<Checked> {
  const found = new Set<Checked>();
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) {
      for (const item of value) visit(item);
    } else if (isNode(value) && !found.has(value)) {
      found.add(value);
      visit(value.args);
      visitParts(value.args);
      visit(value.meta?.alternate);
      visitParts(value.meta?.macro);
    }
  };
  const visitParts = (parts: unknown): void => {
    if (typeof parts !== 'object' || parts === null || isNode(parts)) return;
    for (const part of Object.values(parts)) visit(part);
  };
  visit(ast);
  return found;
}

function isNode(value: unknown): value is Checked {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
}

/** What a macro does for each element. */
function bodyOf(node: Checked): unknown {
  return typeof node.args === 'object' && node.args !== null && 'step' in node.args
    ? node.args.step
    : undefined;
}

function countNodes(body: unknown): number {
  return nodesBelow(body).size;
}

function nameOf(node: Checked): string {
  return Array.isArray(node.args) && typeof node.args[0] === 'string' ? node.args[0] : '';
}

function lengthOf(value: unknown): number {
  return keysIn(value) + listLength(value);
}

function listLength(value: unknown): number {
  return Array.isArray(value) ? value.length : 0;
}

function textLength(value: unknown): number {
  return typeof value === 'string' || value instanceof Uint8Array ? value.length : 0;
}
