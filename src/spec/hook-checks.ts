import { isRecord, valueAt } from '../lib/json.ts';
import { checkCondition, checkExpression } from './expression-checks.ts';
import type { Issue } from './problem.ts';

/** The expressions of a hook's document, as it was written. */
export function checkHookDocument(raw: unknown): Issue[] {
  const condition = valueAt(raw, ['if']);
  const extract = valueAt(raw, ['extract']);
  const inputs = isRecord(extract) ? Object.keys(extract) : [];
  const paths = [
    ['dedupe'],
    ['respond', 'callback'],
    ...inputs.map((name) => ['extract', name, 'expression']),
  ];
  return [
    ...(typeof condition === 'string' ? checkCondition(condition, 'hook') : []).map((issue) => ({
      path: ['if'],
      ...issue,
    })),
    ...paths.flatMap((path) => {
      const source = valueAt(raw, path);
      const issues =
        typeof source === 'string' ? checkExpression(source, 'request', new Set()) : [];
      return issues.map((issue) => ({ path, ...issue }));
    }),
  ];
}
