import * as z from 'zod';
import { oncePer } from '../lib/once-per.ts';
import type { Json } from '../model/event.ts';
import { hookSchema } from './hook-schema.ts';
import { deploymentSchema } from './schema.ts';

/**
 * The JSON Schema (draft 2020-12) of a deployment spec as it is written, for editors. It is made from the schema that
 * the loader uses, so the two agree; what JSON Schema has no words for (expressions, patterns) only the loader checks.
 */
export function specJsonSchema(): { [key: string]: Json } {
  return inputSchema(deploymentSchema);
}

/** That of a hook. */
export function hookJsonSchema(): { [key: string]: Json } {
  return inputSchema(hookSchema);
}

/** Made once: it takes a hundred times as long as to read a small document, and each that is wrong needs it. */
const inputSchema = oncePer((of: z.ZodType): { [key: string]: Json } => {
  const made = z.toJSONSchema(of, { io: 'input', unrepresentable: 'any' });
  const schema: { [key: string]: Json } = JSON.parse(JSON.stringify(made));
  const title = of === hookSchema ? 'Mainsheet hook' : 'Mainsheet deployment spec';
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', title, ...schema };
});

/** The keys that the schema knows at a path (`['on', 'push']`). Empty where any key is allowed. */
export function knownKeys(schema: Json, path: readonly (string | number)[]): string[] {
  let places: Json[] = [schema];
  for (const segment of path) places = places.flatMap((place) => below(place, segment));
  return places
    .flatMap(alternatives)
    .flatMap((place) => Object.keys(objectAt(place, 'properties')));
}

function below(place: Json, segment: string | number): Json[] {
  return alternatives(place).flatMap((schema) => {
    const next =
      typeof segment === 'number'
        ? objectAt(schema, 'items')
        : objectAt(schema, 'properties')[segment];
    return next === undefined ? [] : [next];
  });
}

/** A schema and all its `anyOf`, at any depth. */
function alternatives(place: Json): Json[] {
  const anyOf = objectAt({ place }, 'place')['anyOf'];
  return [place, ...(Array.isArray(anyOf) ? anyOf.flatMap(alternatives) : [])];
}

function objectAt(place: Json, key: string): { [key: string]: Json } {
  if (place === null || typeof place !== 'object' || Array.isArray(place)) return {};
  const value = place[key];
  return value === null || typeof value !== 'object' || Array.isArray(value) ? {} : value;
}
