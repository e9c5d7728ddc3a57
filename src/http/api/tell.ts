import type * as z from 'zod';
import { isoTime } from '../../lib/clock.ts';

/** What an answer of a schema is made from: times in milliseconds since the epoch, and undefined for what is null in the answer. */
export type Told<Schema> =
  Schema extends z.ZodNullable<infer Inner>
    ? Told<Inner> | null | undefined
    : Schema extends z.ZodISODateTime
      ? number
      : Schema extends z.ZodArray<infer Item>
        ? readonly Told<Item>[]
        : Schema extends z.ZodObject<infer Shape>
          ? ToldObject<Shape>
          : Schema extends z.ZodType
            ? z.output<Schema>
            : never;

type ToldObject<Shape> = {
  readonly [Name in keyof Shape as Shape[Name] extends z.ZodOptional ? never : Name]: Told<
    Shape[Name]
  >;
} & {
  readonly [Name in keyof Shape as Shape[Name] extends z.ZodOptional ? Name : never]?:
    z.output<Shape[Name] & z.ZodOptional> | undefined;
};

/** The answer of a schema: what the schema does not name is left out. Nothing is checked. */
export function tell<Schema extends z.ZodType>(
  schema: Schema,
  told: Told<Schema>,
): z.output<Schema> {
  return toAnswer(schema, told) as z.output<Schema>;
}

/** As `tell`, of a schema that is not known here. */
export function toAnswer(schema: z.core.$ZodType, told: unknown): unknown {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.type === 'nullable') return told === undefined ? null : toAnswer(def.innerType, told);
  if (told === null || told === undefined) return told;
  if (def.type === 'array') return (told as unknown[]).map((item) => toAnswer(def.element, item));
  if (def.type === 'object') {
    const answer: Record<string, unknown> = {};
    for (const [name, field] of Object.entries(def.shape)) {
      answer[name] = toAnswer(field, (told as Record<string, unknown>)[name]);
    }
    return answer;
  }
  const isTime = def.type === 'string' && 'format' in def && def.format === 'datetime';
  return isTime ? isoTime(told as number) : told;
}
