import { createRequire } from 'node:module';
import type { Ajv2020, ValidateFunction } from 'ajv/dist/2020.js';
import type { Json } from '../model/event.ts';
import { compileRegularExpression } from './regular-expression.ts';
import { oncePer } from '../lib/once-per.ts';

type Schema = { [key: string]: Json };

/** Problems that are told of one value. */
const MOST_PROBLEMS = 10;

let ajv: Ajv2020 | undefined;

/**
 * What is wrong with values by a JSON Schema (draft 2020-12), in words that hold none of them. Patterns run on an engine that takes
 * linear time. Throws an Error when the schema is none.
 */
export function schemaProblems(schema: Schema, value: Json): string[] {
  const validate = compileSchema(schema);
  if (validate(value)) return [];
  return (validate.errors ?? [])
    .slice(0, MOST_PROBLEMS)
    .map(
      ({ instancePath, message }) => `${instancePath.slice(1) || 'the inputs'} ${message ?? ''}`,
    );
}

/** Throws an Error that says why it is no JSON Schema. */
export const compileSchema = oncePer((schema: Schema): ValidateFunction =>
  (ajv ??= createAjv()).compile(schema),
);

/** Read only when a hook has a schema: few do, and it is large. */
function createAjv(): Ajv2020 {
  const library = createRequire(import.meta.url)('ajv/dist/2020.js') as { Ajv2020: typeof Ajv2020 };
  const regExp = Object.assign(
    (pattern: string) => {
      const expression = compileRegularExpression(pattern);
      // Ajv knows a pattern that it has met before by this text.
      const toString = () => pattern;
      return { test: (text: string) => expression.test(text), toString };
    },
    { code: '' },
  );
  return new library.Ajv2020({
    strictTypes: false,
    strictRequired: false,
    allErrors: true,
    addUsedSchema: false,
    logger: false,
    code: { regExp },
  });
}
