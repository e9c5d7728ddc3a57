import type { Json } from '../../model/event.ts';
import { compileRegularExpression } from '../../spec/regular-expression.ts';
import { parseNetwork } from '../../lib/networks.ts';
import { isRecord } from '../../lib/json.ts';
import { SECRET_HEADERS } from '../../sources/index.ts';

/** Where a hook's input comes from. */
type From = { header: string } | { query: string } | { json: string };

export type Inputs = Record<string, From>;

/** What a hook's rule asks for, in Mainsheet's terms. */
export interface TranslatedRule {
  sender: unknown;
  /** How many secrets there are, with the places where `webhook` has their values. */
  secrets: string[];
  methods: string[] | undefined;
  addresses: string[] | undefined;
  /** Those that the condition speaks of. */
  inputs: Inputs;
  /** CEL over body and inputs. */
  conditions: string[];
  /** What could not be translated, each with its place and the reason. Empty: the rule is whole. */
  problems: string[];
}

/** A map of the file. */
export type Node = Record<string, Json>;

const SIGNED = /^payload-(?:hmac|hash)-(sha1|sha256|sha512)$/;
const TOKEN_HEADER = /^authorization$|token|secret|api-?key|password/i;
const MOST_DEPTH = 20;

/**
 * Translates a `trigger-rule`. What makes the request known to be the sender's – one signature or token, beside which everything else
 * has to hold – becomes the sender; the rest becomes addresses, methods and a condition. The result never lets in what `webhook` refuses:
 * a part that cannot be said is a problem, and is left out.
 */
export function translateRule(rule: Json | undefined): TranslatedRule {
  const found: TranslatedRule = {
    sender: undefined,
    secrets: [],
    methods: undefined,
    addresses: undefined,
    inputs: {},
    conditions: [],
    problems: [],
  };
  if (rule === undefined || rule === null || (isRecord(rule) && Object.keys(rule).length === 0)) {
    found.problems.push('trigger-rule: there is none, so anyone can start the hook');
    return found;
  }
  for (const [node, place] of parts(rule, 'trigger-rule')) takePart(found, node, place);
  if (found.sender === undefined && found.problems.length === 0) {
    found.problems.push(
      'trigger-rule: no signature or token is asked for in all cases, so anyone who knows the URL can start the hook',
    );
  }
  return found;
}

/** What has to hold in every case: the rule itself, or each part of its `and`. */
function* parts(rule: Json, place: string, depth = 0): Generator<[Json, string]> {
  const all = isRecord(rule) && onlyKey(rule) === 'and' ? rule['and'] : undefined;
  if (!Array.isArray(all) || depth > MOST_DEPTH) return yield [rule, place];
  for (const [index, one] of all.entries()) yield* parts(one, `${place}.and[${index}]`, depth + 1);
}

function takePart(found: TranslatedRule, node: Json, place: string): void {
  const refuse = (why: string) => void found.problems.push(`${place}: ${why}`);
  const signatures = signaturesOf(node, place);
  if (signatures !== undefined) {
    if (found.sender !== undefined) return refuse('a hook has one signature or token');
    const sender = senderOf(signatures);
    if (sender === undefined) {
      return refuse('the signature is not in a header, or those of "or" are not in the same one');
    }
    found.sender = sender;
    found.secrets = signatures.map((one) => `${one.place}.match.secret`);
    return;
  }
  const match = matchOf(node);
  if (match?.['type'] === 'ip-whitelist') {
    const addresses = addressesOf(match['ip-range']);
    if (addresses === undefined) return refuse('the addresses cannot be read');
    if (found.addresses !== undefined) return refuse('addresses are asked for more than once');
    found.addresses = addresses;
    return;
  }
  if (match?.['type'] === 'value' && sourceOf(match) === 'request') {
    return takeRequest(found, match, refuse);
  }
  if (match !== undefined && isToken(match) && found.sender === undefined) {
    const header = nameOf(match);
    const isBearer =
      header.toLowerCase() === 'authorization' &&
      /^Bearer [\x21-\x7e]+$/.test(textOf(match['value']));
    if (header.toLowerCase() === 'authorization' && !isBearer) {
      return refuse(
        'Authorization is understood as "Bearer …"; sender: basic may be what is meant',
      );
    }
    found.sender = isBearer ? 'bearer' : { header };
    found.secrets = [`${place}.match.value${isBearer ? ', without "Bearer "' : ''}`];
    return;
  }
  const problems: string[] = [];
  const into = { inputs: found.inputs, problems, used: new Set<string>() };
  const condition = conditionOf(node, place, into, 0);
  found.problems.push(...problems);
  if (problems.length === 0) found.conditions.push(condition);
}

/** One signature, or several of an `or`, which are secrets of one sender. */
function signaturesOf(node: Json, place: string): { match: Node; place: string }[] | undefined {
  const own = matchOf(node);
  if (own !== undefined) {
    return SIGNED.test(textOf(own['type'])) ? [{ match: own, place }] : undefined;
  }
  const any = isRecord(node) && onlyKey(node) === 'or' ? node['or'] : undefined;
  if (!Array.isArray(any) || any.length === 0) return undefined;
  const all = any.map((one, index) => ({ match: matchOf(one), place: `${place}.or[${index}]` }));
  return all.every((one): one is { match: Node; place: string } =>
    SIGNED.test(textOf(one.match?.['type'])),
  )
    ? all
    : undefined;
}

function senderOf(signatures: { match: Node }[]): unknown {
  const written = signatures.map(({ match }) => {
    if (sourceOf(match) !== 'header' || !isHeader(nameOf(match))) return undefined;
    const [, algorithm = ''] = SIGNED.exec(textOf(match['type'])) ?? [];
    const header = nameOf(match);
    // `webhook` takes any of these with and without it; GitHub and Bitbucket send it.
    const prefix = /^x-hub-signature(?:-256)?$/i.test(header) ? { prefix: `${algorithm}=` } : {};
    return { hmac: { header, algorithm, ...prefix } };
  });
  const [first] = written;
  const isOne = written.every((one) => JSON.stringify(one) === JSON.stringify(first));
  const hasSecrets = signatures.every(({ match }) => textOf(match['secret']) !== '');
  return isOne && hasSecrets ? first : undefined;
}

function takeRequest(found: TranslatedRule, match: Node, refuse: (why: string) => void): void {
  const name = nameOf(match).toLowerCase();
  const value = textOf(match['value']);
  if (name === 'method') {
    if (found.methods !== undefined) return refuse('the method is asked for more than once');
    if (!/^(?:POST|PUT|GET)$/.test(value)) return refuse('a hook takes POST, PUT and GET');
    found.methods = [value];
    return;
  }
  refuse(`request.${name} has the port of the connection in it: say addresses`);
}

/** Whether a header is compared with a value that is a secret. */
function isToken(match: Node): boolean {
  return (
    match['type'] === 'value' &&
    sourceOf(match) === 'header' &&
    isHeader(nameOf(match)) &&
    TOKEN_HEADER.test(nameOf(match)) &&
    textOf(match['value']) !== ''
  );
}

/** Where the parts of a condition leave what they need. */
interface Translating {
  inputs: Inputs;
  problems: string[];
  /** What has to be there, in CEL. */
  used: Set<string>;
}

function conditionOf(node: Json, place: string, into: Translating, depth: number): string {
  const { inputs, problems, used } = into;
  const refuse = (why: string) => {
    problems.push(`${place}: ${why}`);
    return 'false';
  };
  const key = isRecord(node) ? onlyKey(node) : undefined;
  if (!isRecord(node) || key === undefined || depth > MOST_DEPTH) return refuse('is no rule');
  const inner = node[key] ?? null;
  if (key === 'and' || key === 'or') {
    if (!Array.isArray(inner) || inner.length === 0) return refuse('is no list of rules');
    return inner
      .map((one, index) => conditionOf(one, `${place}.${key}[${index}]`, into, depth + 1))
      .map((text) => `(${text})`)
      .join(key === 'and' ? ' && ' : ' || ');
  }
  if (key === 'not') {
    const inside: Translating = { ...into, used: new Set() };
    const text = conditionOf(inner, `${place}.not`, inside, depth + 1);
    for (const one of inside.used) into.used.add(one);
    // Nothing is said of what is not there, however the parts end.
    return [...[...inside.used].map((one) => `${one} == ${one}`), `!(${text})`].join(' && ');
  }
  const match = matchOf(node);
  if (match === undefined) return refuse('is no rule');
  const type = textOf(match['type']);
  if (type === 'ip-whitelist')
    return refuse('addresses count only where they have to hold in every case');
  if (type === 'scalr-signature')
    return refuse('scalr-signature signs a date that is not understood');
  if (SIGNED.test(type))
    return refuse('a signature counts only where it has to hold in every case');
  if (type !== 'value' && type !== 'regex') return refuse(`"${type.slice(0, 40)}" is not known`);
  if (typeof match[type] !== 'string') return refuse(`"${type}" is no text`);
  const value = valueOf(match, inputs);
  if (value === undefined) {
    const source = sourceOf(match);
    return refuse(
      isHidden(nameOf(match)) && source === 'header'
        ? `conditions do not see ${nameOf(match)}: it is a secret`
        : `no condition speaks of ${source} ${nameOf(match).slice(0, 60)}`,
    );
  }
  used.add(value);
  if (type === 'value') return `${value} == ${literal(textOf(match['value']))}`;
  const regex = textOf(match['regex']);
  try {
    compileRegularExpression(regex);
  } catch {
    return refuse('the regular expression cannot be read');
  }
  return `${value}.matches(${literal(regex)})`;
}

/** The text that a rule compares, in CEL. */
function valueOf(match: Node, inputs: Inputs): string | undefined {
  const name = nameOf(match);
  switch (sourceOf(match)) {
    case 'payload': {
      const path = pathOf(name);
      return (
        path &&
        `string(body${path.map((part) => `[${typeof part === 'number' ? part : literal(part)}]`).join('')})`
      );
    }
    case 'header':
      return isHeader(name) && !isHidden(name) ? input(inputs, { header: name }) : undefined;
    case 'url':
    case 'query':
      return name === '' || name.length > 100 ? undefined : input(inputs, { query: name });
    default:
      return undefined;
  }
}

/** The text of what is taken from there. */
function input(inputs: Inputs, from: From): string {
  // What is missing has no text: then the condition does not hold, as in `webhook`.
  return `string(inputs.${inputFor(inputs, from)})`;
}

/** The name of the input that is taken from there, made when there is none. */
export function inputFor(inputs: Inputs, from: From): string {
  const known = Object.entries(inputs).find(
    ([, one]) => JSON.stringify(one) === JSON.stringify(from),
  );
  if (known !== undefined) return known[0];
  const written = String(Object.values(from)[0]).toLowerCase();
  const plain = written
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '')
    .slice(0, 40);
  const base = /^[a-z]/.test(plain) ? plain : `value_${plain}`;
  let name = base;
  for (let number = 2; Object.hasOwn(inputs, name); number += 1) name = `${base}_${number}`;
  inputs[name] = from;
  return name;
}

/** `a.b.0` of `webhook`: the parts of it, numbers for places in lists. */
export function pathOf(name: string): (string | number)[] | undefined {
  if (name === '' || name.length > 500) return undefined;
  return name.split('.').map((part) => (/^\d{1,6}$/.test(part) ? Number(part) : part));
}

/** A text as CEL writes it. */
function literal(text: string): string {
  return JSON.stringify(text);
}

function addressesOf(range: Json | undefined): string[] | undefined {
  const networks = textOf(range)
    .split(/\s+/)
    .filter((one) => one !== '');
  return networks.length > 0 && networks.every((one) => parseNetwork(one) !== undefined)
    ? networks
    : undefined;
}

function matchOf(node: Json): Node | undefined {
  const match = isRecord(node) && onlyKey(node) === 'match' ? node['match'] : undefined;
  return match !== undefined && isRecord(match) ? match : undefined;
}

/** `webhook` looks at one of them, and a rule that has two means something that it does not do. */
function onlyKey(node: Node): string | undefined {
  const keys = Object.keys(node);
  return keys.length === 1 ? keys[0] : undefined;
}

function sourceOf(match: Node): string {
  const { parameter } = match;
  return parameter !== undefined && isRecord(parameter) ? textOf(parameter['source']) : '';
}

function nameOf(match: Node): string {
  const { parameter } = match;
  return parameter !== undefined && isRecord(parameter) ? textOf(parameter['name']) : '';
}

/** Whether a header can be called so. */
export function isHeader(name: string): boolean {
  return /^[A-Za-z0-9-]{1,100}$/.test(name);
}

/** Empty for what is no text. */
export function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

/** Whether no expression sees a header, because senders put secrets there. */
function isHidden(header: string): boolean {
  return SECRET_HEADERS.includes(header.toLowerCase());
}
