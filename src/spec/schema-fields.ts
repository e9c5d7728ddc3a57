import * as z from 'zod';
import { parseDuration } from '../lib/duration.ts';
import {
  ANY_REPOSITORY,
  ANY_REPOSITORY_RULE,
  isServerName,
  REPOSITORY,
  REPOSITORY_RULE,
  SECRET_NAME,
} from '../lib/names.ts';
import { LIMIT_FORMS, parseLimit, type LimitName } from '../lib/step-limits.ts';
import { didYouMean } from './problem.ts';
import { hasTemplate } from './template.ts';

const HOUR = 3_600_000;

/** What `superRefine` and `transform` give for problems. */
export interface Context {
  addIssue(issue: { code: 'custom'; message: string; params: object }): void;
}

/** `refine` for a rule with a hint of its own. */
export function problem(context: Context, message: string, hint?: string): void {
  context.addIssue({ code: 'custom', message, params: { hint } });
}

/** A key that may be left out: what editors say of it, and what it may hold. */
export function optional<Value extends z.ZodType>(what: string, value: Value) {
  return value.describe(what).optional();
}

/** A text with so many characters at most. */
export function textUpTo(most: number) {
  return z.string().max(most, `more than ${most} characters`);
}

/** The same, and never empty. */
export function filled(most: number) {
  return textUpTo(most).min(1, 'is empty');
}

/** A whole number within bounds. */
export function whole(least: number, most: number) {
  return z
    .int('must be a whole number')
    .min(least, `at least ${least}`)
    .max(most, `at most ${most}`);
}

/** A list with one entry at least. */
export function listOf<Item extends z.ZodType>(item: Item, most: number) {
  return z.array(item).min(1, 'the list is empty').max(most, `more than ${most} entries`);
}

/** A text, also where YAML reads it as something else. */
export const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);

/** What a request to a hook has to fulfil, in the hook and in the specs that it starts. */
export const hookCondition = z
  .union([z.string(), z.boolean()])
  .transform(String)
  .describe('A CEL expression over body, inputs and hook that must be true.');

/** UTF-16 units of a URL, a header or an expression. */
export const TEXT_LIMIT = 4096;

/** An http(s) URL, which may hold templates: what those give is known only when it is asked, and checked again there. */
export function webUrl(whereSecretsGo: string) {
  return textUpTo(TEXT_LIMIT).superRefine((text, context) => {
    if (hasTemplate(text)) return;
    const parsed = URL.parse(text);
    if (parsed === null || !['https:', 'http:'].includes(parsed.protocol)) {
      problem(context, 'is not an http(s) URL');
    } else if (parsed.username !== '' || parsed.password !== '') {
      problem(context, 'holds a user name or password', whereSecretsGo);
    }
  });
}

/** Where another system is, without a slash at the end. */
export const serverUrl = webUrl('name a secret: secret: NAME')
  .refine((text) => !hasTemplate(text), 'is the same for every run, so it has no ${{ … }}')
  .transform((text) => text.replace(/\/+$/, ''));

/** One of them or a list, as GitHub allows wherever a list is meant. An item is never a list itself. */
export function oneOrMore<Item extends z.ZodType>(item: Item, most: number, one = item) {
  return z
    .union([one, listOf(item, most)])
    .transform((value) => [value].flat() as z.output<Item>[]);
}

/** A list that was written as one text: `main, dev`. Says how the list is written. */
export function refuseList(text: string, context: Context): void {
  const parts = partsOf(text);
  if (!text.includes(',') || parts.length < 2) return;
  problem(
    context,
    `"${text.slice(0, 100)}" is one text and not a list`,
    `write a list: ${asList(parts)}; if it is one name, put it in brackets: ["${text.slice(0, 100)}"]`,
  );
}

/** What a text would be as a list, by its commas and spaces. */
export function partsOf(text: string): string[] {
  return text.split(/[\s,]+/).filter((part) => part !== '');
}

/** As YAML writes it. */
export function asList(parts: readonly string[]): string {
  return `[${parts.map((part) => (/^[\w/.-]+$/.test(part) ? part : `"${part}"`)).join(', ')}]`;
}

/** A duration in milliseconds, written like `15m`, `90s` or `1h30m`. */
export function duration(least: number, most: number, bounds: string) {
  return z.string().transform((text, context): number => {
    const ms = parseDuration(text);
    if (ms === undefined) {
      problem(
        context,
        `"${text.slice(0, 40)}" is not a duration`,
        'write it like 90s, 15m or 1h30m',
      );
      return z.NEVER;
    }
    if (ms < least || ms > most) {
      problem(context, `a duration of ${text} is out of bounds`, bounds);
      return z.NEVER;
    }
    return ms;
  });
}

export const timeout = duration(1000, 24 * HOUR, 'at least 1s and at most 24h');

/** How long a run may wait for people. */
export const wait = duration(1000, 90 * 24 * HOUR, 'at least 1s and at most 90d');

export const backoff = duration(1, HOUR, 'more than 0 and at most 1h');

function limit(name: LimitName) {
  return z.union([z.string(), z.int()]).transform((written, context): number => {
    const value = parseLimit(name, String(written));
    if (value !== undefined) return value;
    const message = `"${String(written).slice(0, 40)}" is no limit of ${name}`;
    problem(context, message, `write ${LIMIT_FORMS[name].rule}`);
    return z.NEVER;
  });
}

export const limits = z.strictObject({
  cpu: optional('Computing time of each process, such as 10m.', limit('cpu')),
  memory: optional('Address space of each process, such as 2Gi.', limit('memory')),
  processes: optional(
    "Processes and threads of the steps' user, all of its steps together.",
    limit('processes'),
  ),
  files: optional('Open files of each process.', limit('files')),
});

export const specName = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    'a name has 1 to 63 characters: a-z, 0-9 and, between those, "-"',
  );

export const hookId = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    'a hook\'s id has 1 to 63 characters: a-z, 0-9 and, between those, "-"',
  );

/** A user of GitHub: https://docs.github.com/en/enterprise-cloud@latest/admin/managing-iam/iam-configuration-reference/username-considerations-for-external-authentication */
export const LOGIN = /^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9])?$/;

/** A repository of GitHub. */
export const repositoryName = z.string().regex(REPOSITORY, REPOSITORY_RULE);

export const anyRepository = z.string().regex(ANY_REPOSITORY, ANY_REPOSITORY_RULE);

export const serverName = z
  .string()
  .refine(isServerName, 'a server is called as in MAINSHEET_SERVERS: a-z, 0-9 and "-"');

/** Environments and lanes: free text on one line, as GitHub's environment names are. */
export function label(most: number) {
  return filled(most)
    .refine((text) => text !== '.' && text !== '..', 'is no name in a link')
    .regex(/^\S(?:[\s\S]*\S)?$/u, 'begins or ends with a space')
    .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]*$/u, 'has a control character or a line break');
}

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Names that decide which code a shell or the dynamic loader runs before the step's own first line. */
const STARTUP_NAMES = /^(?:PATH|HOME|IFS|ENV|BASH_ENV|SHELLOPTS|BASHOPTS|PS4|LD_.*|DYLD_.*)$/;

export const secretName = textUpTo(100).superRefine((name, context) => {
  if (!SECRET_NAME.test(name)) {
    const parts = partsOf(name);
    const isList = parts.length > 1 && parts.every((part) => SECRET_NAME.test(part));
    problem(
      context,
      // Not which: it may be the secret itself.
      "is not a secret's name",
      isList
        ? `write a list: ${asList(parts)}`
        : 'use A-Z, 0-9 and _, beginning with a letter; its value does not stand here',
    );
  } else {
    checkReserved(name, context);
  }
});

const envName = textUpTo(256).superRefine((name, context) => {
  if (!ENV_NAME.test(name)) {
    problem(
      context,
      `"${name.slice(0, 100)}" is not the name of an environment variable`,
      'use letters, digits and _, not beginning with a digit',
    );
  } else {
    checkReserved(name, context);
  }
});

export const environmentVariables = z.record(
  envName,
  scalar
    .refine((value) => value.length <= 32_768, 'more than 32768 characters')
    .refine((value) => !value.includes('\0'), 'has a NUL character, which no environment can hold'),
);

function checkReserved(name: string, context: Context): void {
  if (name.toUpperCase().startsWith('MAINSHEET_')) {
    problem(context, `${name}: names that begin with MAINSHEET_ are set by Mainsheet itself`);
  } else if (STARTUP_NAMES.test(name)) {
    problem(
      context,
      `${name} is reserved: it decides which programs a step really starts`,
      `set it inside "run" where it is needed: export ${name}=…`,
    );
  }
}

/** An IANA name. */
export const timeZone = textUpTo(100).superRefine((name, context) => {
  if (isTimeZone(name)) return;
  problem(
    context,
    `"${name}" is no time zone`,
    didYouMean(name, Intl.supportedValuesOf('timeZone')) ?? 'write it like Europe/Berlin, or UTC',
  );
});

function isTimeZone(name: string): boolean {
  try {
    Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
