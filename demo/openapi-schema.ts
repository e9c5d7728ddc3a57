import { resolveSchema, type Schema } from './openapi-document.ts';

const BRANCHES = ['allOf', 'anyOf', 'oneOf'] as const;

/**
 * Turns a schema of OpenAPI 3.0 into a self-contained one of JSON Schema 2019-09: every component it needs is below
 * `$defs`, and `nullable` becomes a choice with `null` (ajv refuses `nullable` beside `anyOf`, which GitHub writes).
 * A `strict` schema also refuses every property that it does not name, even where GitHub's allows others: such a
 * property is a misspelling, which GitHub would ignore in silence.
 */
export function toJsonSchema(schema: Schema, options: { strict: boolean }): Schema {
  const definitions: Record<string, Schema> = {};
  const root = convert(schema, { ...options, definitions, isBranch: false });
  return { ...root, $defs: definitions };
}

interface Conversion {
  strict: boolean;
  definitions: Record<string, Schema>;
  /** A branch of `allOf` and its like names only some of the properties: only the whole can be closed. */
  isBranch: boolean;
}

function convert(schema: Schema, conversion: Conversion): Schema {
  if (typeof schema['$ref'] === 'string') return convertReference(schema['$ref'], conversion);
  const whole = { ...conversion, isBranch: false };
  const branch = { ...conversion, isBranch: true };
  const { nullable, example: _example, ...result } = schema;

  if (isSchema(schema['properties'])) {
    result['properties'] = Object.fromEntries(
      Object.entries(schema['properties']).map(([name, property]) => [
        name,
        isSchema(property) ? convert(property, whole) : property,
      ]),
    );
  }
  for (const keyword of ['items', 'additionalProperties']) {
    if (isSchema(schema[keyword])) result[keyword] = convert(schema[keyword], whole);
  }
  if (isSchema(schema['not'])) result['not'] = convert(schema['not'], branch);
  for (const keyword of BRANCHES) {
    if (Array.isArray(schema[keyword])) {
      result[keyword] = schema[keyword].filter(isSchema).map((each) => convert(each, branch));
    }
  }
  if (conversion.strict && namesProperties(schema)) {
    if (result['additionalProperties'] === true) delete result['additionalProperties'];
    if (!conversion.isBranch && result['additionalProperties'] === undefined) {
      result['unevaluatedProperties'] = false;
    }
  }
  return nullable === true ? { anyOf: [result, { type: 'null' }] } : result;
}

function convertReference(reference: string, conversion: Conversion): Schema {
  const component = reference.split('/').at(-1) ?? reference;
  const name = conversion.isBranch ? `${component}.branch` : component;
  if (conversion.definitions[name] === undefined) {
    // Reserved before it is converted, so that a schema that holds itself comes to an end.
    conversion.definitions[name] = {};
    conversion.definitions[name] = convert(resolveSchema(reference), conversion);
  }
  return { $ref: `#/$defs/${name}` };
}

function namesProperties(schema: Schema): boolean {
  if (isSchema(schema['properties']) && Object.keys(schema['properties']).length > 0) return true;
  return BRANCHES.flatMap((keyword) => schema[keyword])
    .filter(isSchema)
    .some((branch) => {
      const { $ref } = branch;
      return namesProperties(typeof $ref === 'string' ? resolveSchema($ref) : branch);
    });
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
