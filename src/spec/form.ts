import type * as z from 'zod';

/** What a text is, beyond what its schema says. One without a rule may not hold `${{ … }}`. */
export type TextRule =
  /** May hold `${{ … }}`. */
  | 'template'
  /** The same, and no value of an event may become part of the host. */
  | 'url'
  /** The name of a secret, which the spec has to list. */
  | 'secret'
  /** Commands on this machine, or on another one, which sees of the secrets only what `env` gives it. */
  | 'script'
  | 'remote-script'
  /** CEL over `response`. */
  | 'response-condition'
  | 'response-expression';

/** How one kind of a spec's steps or notifications is written: all that `spec/` knows of it. */
export interface Form {
  /** What stands at its key, with what editors say of it. What comes out has the name of the kind, and every default filled in. */
  schema: z.ZodType<{ kind: string }>;
  /** Rules of texts, by their path below the key: `''` is what stands at the key, `*` any one key, `**` at the end any depth. */
  texts: Readonly<Record<string, TextRule>>;
}

/** What a map may hold that is one of these kinds: each at its key. */
export function shapeOf<Forms extends Record<string, Form>>(forms: Forms) {
  return Object.fromEntries(
    Object.entries(forms).map(([key, { schema }]) => [key, schema.optional()]),
  ) as { [Key in keyof Forms]: z.ZodOptional<Forms[Key]['schema']> };
}

/** The keys of the kinds that are written there. */
export function writtenOf<Forms extends Record<string, Form>>(
  forms: Forms,
  map: { readonly [Key in keyof Forms]?: unknown },
): (keyof Forms)[] {
  return Object.keys(forms).filter((key) => map[key] !== undefined);
}

/** `"run", "http"`: the keys of all kinds, for people. */
export function keysOf(forms: Readonly<Record<string, Form>>): string {
  return Object.keys(forms)
    .map((key) => `"${key}"`)
    .join(', ');
}
