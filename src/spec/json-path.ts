import { createRequire } from 'node:module';
import type * as jsonpath from 'jsonpath-rfc9535';
import type { Json } from '../model/event.ts';

const require = createRequire(import.meta.url);

/**
 * Every value at a JSONPath (RFC 9535) of a body. Throws an Error when the path is none. The library is read when the first path is
 * there, because most processes have none.
 */
export function valuesAt(body: Json, path: string): Json[] {
  const { query } = require('jsonpath-rfc9535') as typeof jsonpath;
  return query(body, path);
}
