import { checkCondition, checkExpression } from './expression-checks.ts';
import type { Issue } from './problem.ts';

/** The expressions of a hook's document, as it was written. */
export function checkHookDocument(raw: unknown): Issue[] {
  const document = asRecord(raw);
  const at = (path: string[], issues: { message: string; offset: number }[]): Issue[] =>
    issues.map((issue) => ({ path, ...issue }));
  const request = (path: string[], value: unknown): Issue[] =>
    typeof value === 'string' ? at(path, checkExpression(value, 'request', new Set())) : [];
  const { if: condition, dedupe, extract, respond } = document;
  return [
    ...(typeof condition === 'string' ? at(['if'], checkCondition(condition, 'hook')) : []),
    ...request(['dedupe'], dedupe),
    ...request(['respond', 'callback'], asRecord(respond)['callback']),
    ...Object.entries(asRecord(extract)).flatMap(([name, input]) =>
      request(['extract', name, 'expression'], asRecord(input)['expression']),
    ),
  ];
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}
