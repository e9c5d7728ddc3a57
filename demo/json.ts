/** A JSON value, as GitHub's API and webhooks send and receive them. */
export type Json = null | boolean | number | string | Json[] | JsonObject;

export interface JsonObject {
  [key: string]: Json;
}

/** Throws a SyntaxError when the text is not JSON. */
export function parseJson(text: string): Json {
  const value: Json = JSON.parse(text);
  return value;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object at a key of another one. Throws when something else is there. */
export function objectAt(parent: JsonObject, key: string): JsonObject {
  const value = parent[key];
  if (!isJsonObject(value)) throw new TypeError(`there is no object at "${key}"`);
  return value;
}

/** The text at a key of an object, or `absent` when none is there. */
export function textAt(parent: JsonObject, key: string, absent = ''): string {
  const value = parent[key];
  return typeof value === 'string' ? value : absent;
}
