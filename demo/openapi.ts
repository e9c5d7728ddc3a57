import { Ajv2019, type ErrorObject, type ValidateFunction } from 'ajv/dist/2019.js';
import addFormats from 'ajv-formats';
import { findOperation, type Operation, type Parameter, type Schema } from './openapi-document.ts';
import { toJsonSchema } from './openapi-schema.ts';

/** Holds requests and answers against GitHub's own description of its REST API. Every problem is one sentence. */
export interface RequestValidator {
  /**
   * What is wrong with a request: a path GitHub does not know, path and query values and a body that do not fit, and
   * every parameter or property that GitHub does not name. Empty when nothing is.
   * `path` may hold a query; `body` is the parsed JSON, undefined for none.
   */
  check: (method: string, path: string, body: unknown) => string[];
  /** What is wrong with GitHub's (that is, our) answer: a status it never gives there, a body of another shape. */
  checkAnswer: (method: string, path: string, status: number, body: unknown) => string[];
}

/** Operations are compiled when they are first met: of about a thousand, a test meets ten. */
export function createRequestValidator(): RequestValidator {
  const strings = createAjv({ coerceTypes: 'array' });
  const bodies = createAjv({});
  const compiled = new Map<string, ValidateFunction>();

  function validate(
    key: string,
    ajv: Ajv2019,
    schema: () => Schema,
    value: unknown,
    name: string,
  ): string[] {
    const check = compiled.get(key) ?? ajv.compile(schema());
    compiled.set(key, check);
    return check(value) ? [] : (check.errors ?? []).map((error) => describe(error, name));
  }

  return {
    check(method, path, body) {
      const url = new URL(path, 'http://github.invalid');
      const found = findOperation(method, url.pathname);
      if (found === undefined) return [`${method} ${url.pathname}: GitHub has no such operation`];
      const { operation, pathValues } = found;
      const problems = [
        ...validate(
          `${operation.id} path`,
          strings,
          () => parameterSchema(operation, 'path'),
          decodeValues(pathValues),
          'path',
        ),
        ...validate(
          `${operation.id} query`,
          strings,
          () => parameterSchema(operation, 'query'),
          queryValues(url.searchParams),
          'query',
        ),
        ...checkBody(operation, body, (schema) =>
          validate(
            `${operation.id} body`,
            bodies,
            () => toJsonSchema(schema, { strict: true }),
            body,
            'body',
          ),
        ),
      ];
      return problems.map((problem) => `${method} ${url.pathname}: ${problem}`);
    },

    checkAnswer(method, path, status, body) {
      const { pathname } = new URL(path, 'http://github.invalid');
      const found = findOperation(method, pathname);
      if (found === undefined) return [`${method} ${pathname}: GitHub has no such operation`];
      const { id, answers } = found.operation;
      if (!answers.has(status)) return [`${method} ${pathname}: GitHub never answers ${status}`];
      const schema = answers.get(status);
      if (schema === undefined) return [];
      return validate(
        `${id} ${status}`,
        bodies,
        () => toJsonSchema(schema, { strict: false }),
        body,
        'answer',
      ).map((problem) => `${method} ${pathname}: ${problem}`);
    },
  };
}

function createAjv(options: { coerceTypes?: 'array' }): Ajv2019 {
  // `logger: false`: GitHub's schemas use formats and keywords of OpenAPI that ajv would announce one by one.
  const ajv = new Ajv2019({
    strict: false,
    allErrors: true,
    logger: false,
    validateSchema: false,
    ...options,
  });
  addFormats.default(ajv);
  return ajv;
}

function checkBody(
  operation: Operation,
  body: unknown,
  validate: (schema: Schema) => string[],
): string[] {
  if (body === undefined) {
    return operation.body?.required === true ? ['the body is missing'] : [];
  }
  if (operation.body === undefined) return ['this operation takes no body'];
  return operation.body.schema === undefined ? [] : validate(operation.body.schema);
}

function parameterSchema(operation: Operation, place: 'path' | 'query'): Schema {
  const parameters = operation.parameters.filter((parameter) => parameter.in === place);
  const key = (parameter: Parameter) =>
    place === 'path' ? parameter.name.replaceAll('-', '_') : parameter.name;
  return toJsonSchema(
    {
      type: 'object',
      properties: Object.fromEntries(
        parameters.map((parameter) => [key(parameter), parameter.schema ?? {}]),
      ),
      required: parameters.filter((parameter) => parameter.required === true).map(key),
      additionalProperties: false,
    },
    { strict: false },
  );
}

function decodeValues(values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, decodeValue(value)]),
  );
}

/** A value that is no valid percent-encoding is held against the schema as it stands. */
function decodeValue(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function queryValues(parameters: URLSearchParams): Record<string, string | string[]> {
  return Object.fromEntries(
    [...new Set(parameters.keys())].map((name) => {
      const values = parameters.getAll(name);
      return [name, values.length === 1 ? (values[0] ?? '') : values];
    }),
  );
}

function describe(error: ErrorObject, name: string): string {
  const { params } = error;
  const where = `${name}${error.instancePath}`;
  const unknown: unknown = params['unevaluatedProperty'] ?? params['additionalProperty'];
  if (typeof unknown === 'string') return `${where} has the unknown property "${unknown}"`;
  const allowed: unknown = params['allowedValues'];
  const choices = Array.isArray(allowed) ? ` (${allowed.join(', ')})` : '';
  return `${where} ${error.message ?? 'is not valid'}${choices}`;
}
