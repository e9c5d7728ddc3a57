import type { Json } from '../../model/event.ts';
import { parse, stringify } from 'yaml';
import { UsageError } from '../usage-error.ts';
import {
  inputFor,
  isHeader,
  pathOf,
  textOf,
  translateRule,
  type Inputs,
  type Node,
} from './webhook-rules.ts';
import { isRecord } from '../../lib/json.ts';

/** A hook of the program `webhook`, as Mainsheet's hook and spec. */
export interface ImportedHook {
  /** Of both. */
  name: string;
  /** The YAML of both documents. */
  text: string;
  /** The secrets that have to be set, and where the file has their values. */
  secrets: { name: string; place: string }[];
  /** What could not be translated: then the hook takes no requests. */
  problems: string[];
  /** What is otherwise than it was. */
  notes: string[];
}

/** Keys that only say how `webhook` answers. */
const ANSWERS = [
  'response-message',
  'response-headers',
  'success-http-response-code',
  'trigger-rule-mismatch-http-response-code',
  'include-command-output-in-response',
  'include-command-output-in-response-on-error',
];
const KNOWN = new Set([
  ...ANSWERS,
  'id',
  'execute-command',
  'command-working-directory',
  'incoming-payload-content-type',
  'http-methods',
  'pass-arguments-to-command',
  'pass-environment-to-command',
  'trigger-rule',
  'trigger-signature-soft-failures',
]);

/**
 * Translates a hooks file of adnanh/webhook, JSON or YAML. `repository`: whose specs these become. Of secrets only the places are told. Throws
 * UsageError `webhook-file` when it cannot be read.
 */
export function importWebhook(text: string, repository: string): ImportedHook[] {
  let read: unknown;
  try {
    read = parse(text);
  } catch (cause) {
    throw new UsageError('webhook-file', 'the file is neither JSON nor YAML', {
      cause,
      hint: 'of a template, give what "webhook -template" makes of it',
    });
  }
  if (!Array.isArray(read)) {
    throw new UsageError('webhook-file', 'the file is no list of hooks', {
      hint: 'give the file that "webhook -hooks" has',
    });
  }
  const names = new Set<string>();
  return (read as Json[]).map((hook, index) =>
    importHook(isRecord(hook) ? hook : {}, `hooks[${index}]`, repository, names),
  );
}

function importHook(
  hook: Node,
  place: string,
  repository: string,
  names: Set<string>,
): ImportedHook {
  const problems: string[] = [];
  const notes: string[] = [];
  const id = textOf(hook['id']);
  const name = nameFor(id, names);
  if (name !== id) notes.push(`the id "${clean(id)}" is ${name} here: the URL ends with that`);
  for (const key of Object.keys(hook)) {
    if (ANSWERS.includes(key)) notes.push(`${clean(key)}: the answer is 202, or "respond" says it`);
    else if (!KNOWN.has(key)) problems.push(`${clean(key)}: there is nothing like it`);
  }
  const rule = translateRule(hook['trigger-rule']);
  problems.push(...rule.problems);
  const inputs: Inputs = { ...rule.inputs };
  const step = stepOf(hook, inputs, problems);
  const methods = methodsOf(hook, rule.methods, problems, notes);
  const contentType = textOf(hook['incoming-payload-content-type']);
  const isOpen = problems.length === 0;
  const prefix = `WEBHOOK_${name.replaceAll('-', '_').toUpperCase()}`;
  const secrets = rule.secrets.map((from, index) => ({
    name: index === 0 ? prefix : `${prefix}_${index + 1}`,
    place: `${place}.${from}`,
  }));
  const document = {
    kind: 'hook',
    id: name,
    sender: isOpen ? rule.sender : 'bearer',
    ...(isOpen ? { secrets: secrets.map((one) => one.name) } : {}),
    methods,
    ...(contentType === '' ? {} : { 'content-types': [contentType.toLowerCase()] }),
    ...(rule.addresses === undefined ? {} : { addresses: rule.addresses }),
    ...(Object.keys(inputs).length === 0 ? {} : { extract: inputs }),
    if: isOpen ? conditionOf(rule.conditions) : 'false',
  };
  const spec = {
    name,
    repository,
    on: { hook: { id: name } },
    concurrency: { queue: 'all' },
    steps: [step],
  };
  const why = isOpen
    ? []
    : [
        'It takes no requests: it has no secrets, and its condition is false, since these parts have no translation.',
        ...problems,
      ];
  const comments = [...why, ...notes].map((line) => `# ${clean(line)}\n`).join('');
  return {
    name,
    text: `${comments}${stringify(document)}---\n${stringify(spec)}`,
    secrets: isOpen ? secrets : [],
    problems,
    notes,
  };
}

function conditionOf(conditions: readonly string[]): string {
  if (conditions.length === 0) return 'true';
  return conditions.length === 1
    ? (conditions[0] ?? 'true')
    : conditions.map((one) => `(${one})`).join(' && ');
}

/** `webhook` takes any method, of those that are listed the one that the rule asks for. */
function methodsOf(
  hook: Node,
  asked: string[] | undefined,
  problems: string[],
  notes: string[],
): string[] {
  const written = listOf(hook['http-methods']).map((one) => textOf(one).trim().toUpperCase());
  if (asked !== undefined) {
    const isTaken = written.length === 0 || asked.every((one) => written.includes(one));
    if (!isTaken) problems.push(`http-methods: ${asked.join(', ')} is not among them`);
    return asked;
  }
  if (written.length === 0) {
    notes.push('http-methods: only POST is taken now');
    return ['POST'];
  }
  const known = written.filter((one) => /^(?:POST|PUT|GET)$/.test(one));
  if (known.length < written.length) problems.push('http-methods: a hook takes POST, PUT and GET');
  return known.length === 0 ? ['POST'] : [...new Set(known)];
}

/** Values reach the command as variables, which the shell does not read again. */
function stepOf(hook: Node, inputs: Inputs, problems: string[]): object {
  const words = [quoted(textOf(hook['execute-command']))];
  if (words[0] === "''") problems.push('execute-command: is missing');
  const env: Record<string, string> = {};
  for (const [index, one] of listOf(hook['pass-arguments-to-command']).entries()) {
    const place = `pass-arguments-to-command[${index}]`;
    const from = isRecord(one) ? takenFrom(one, place, inputs, problems) : undefined;
    if (from === undefined) continue;
    if ('text' in from) {
      words.push(quoted(from.text));
      continue;
    }
    words.push(`"$MAINSHEET_INPUT_${from.input.toUpperCase()}"`);
  }
  for (const [index, one] of listOf(hook['pass-environment-to-command']).entries()) {
    const place = `pass-environment-to-command[${index}]`;
    const from = isRecord(one) ? takenFrom(one, place, inputs, problems) : undefined;
    if (!isRecord(one) || from === undefined) continue;
    const name = textOf(one['envname']) || `HOOK_${textOf(one['name'])}`;
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      problems.push(`${place}: ${clean(name)} cannot name a variable`);
      continue;
    }
    env[name] = 'text' in from ? from.text : `\${{ inputs.${from.input} }}`;
  }
  const directory = textOf(hook['command-working-directory']);
  const run = `${directory === '' ? '' : `cd ${quoted(directory)} && `}${words.join(' ')}`;
  if (run.includes('${{')) problems.push('execute-command: has "${{", which means something here');
  return { run: run.replaceAll('${{', '$ {{'), ...(Object.keys(env).length === 0 ? {} : { env }) };
}

function takenFrom(
  one: Node,
  place: string,
  inputs: Inputs,
  problems: string[],
): { text: string } | { input: string } | undefined {
  const source = textOf(one['source']);
  const name = textOf(one['name']);
  if (one['base64decode'] === true) {
    problems.push(`${place}: base64decode has nothing like it`);
    return undefined;
  }
  const path = source === 'payload' ? pathOf(name) : undefined;
  if (path !== undefined) return { input: inputFor(inputs, { json: jsonPathOf(path) }) };
  if (source === 'header' && isHeader(name)) {
    return { input: inputFor(inputs, { header: name }) };
  }
  if ((source === 'url' || source === 'query') && name !== '' && name.length <= 100) {
    return { input: inputFor(inputs, { query: name }) };
  }
  if (source === 'string' && !name.includes('${{')) return { text: name };
  problems.push(
    `${place}: there is nothing like ${clean(source)}${name === '' ? '' : ` ${clean(name)}`}`,
  );
  return undefined;
}

function jsonPathOf(path: readonly (string | number)[]): string {
  const parts = path.map((part) =>
    typeof part === 'number' ? `[${part}]` : `['${part.replaceAll(/['\\]/g, String.raw`\$&`)}']`,
  );
  return `$${parts.join('')}`;
}

/** A word of the shell. */
function quoted(text: string): string {
  return /^[\w./:=@-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function nameFor(id: string, names: Set<string>): string {
  const plain = id
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 50);
  const base = plain.replaceAll(/^-+|-+$/g, '') || 'hook';
  let name = base;
  for (let number = 2; names.has(name); number += 1) name = `${base}-${number}`;
  names.add(name);
  return name;
}

/** One line that no terminal acts on. */
function clean(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 200);
}

function listOf(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}
