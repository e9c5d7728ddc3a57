import { createRequire } from 'node:module';
import type * as Library from '@marcbachmann/cel-js';
import type * as Values from '@marcbachmann/cel-js/evaluator';

const require = createRequire(import.meta.url);
let library: typeof Library | undefined;
let values: typeof Values | undefined;

/** CEL. It is read with the first expression, and not before: many specs have none, and it takes 15 ms and 3 MB. */
export function cel(): typeof Library {
  return (library ??= require('@marcbachmann/cel-js') as typeof Library);
}

/** The values of CEL that JavaScript does not have. */
export function celValues(): typeof Values {
  return (values ??= require('@marcbachmann/cel-js/evaluator') as typeof Values);
}
