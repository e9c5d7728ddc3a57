import type { Json } from './event.ts';
import { ownEvents } from './own-event.ts';

/** Who can send to a hook: each is a file in `sources/`. */
export const SENDERS = [
  'github',
  'gitlab',
  'bitbucket',
  'gitea',
  'stripe',
  'slack',
  'shopify',
  'pagerduty',
  'standard-webhooks',
  'hmac',
  'bearer',
  'basic',
  'header',
  'path',
] as const;
export type SenderName = (typeof SENDERS)[number];

/** Those that send a token and sign nothing. */
export const TOKEN_SENDERS: readonly SenderName[] = ['bearer', 'basic', 'header', 'path'];

/** How a body of a content type is read. */
export function readingOf(contentType: string): 'json' | 'form' | 'xml' | 'text' {
  if (/[/+]xml$/.test(contentType)) return 'xml';
  if (contentType === 'application/json' || contentType.endsWith('+json')) return 'json';
  return contentType === 'application/x-www-form-urlencoded' ? 'form' : 'text';
}

/** How a sender without rules of its own signs (`sender: { hmac: … }`), or where its token stands (`sender: { header: … }`). */
export interface SenderOptions {
  /** The header that has the signature or the token. */
  header: string | undefined;
  /** What stands before the signature in the header. */
  prefix: string;
  algorithm: 'sha256' | 'sha512' | 'sha1';
  encoding: 'hex' | 'base64';
  /** What is signed: `{body}`, and before it `{timestamp}` and other text. */
  signed: string;
  /** The header with the time of signing, in seconds since the epoch. */
  timestamp: string | undefined;
  /** Milliseconds that the time of signing may be from now, either way. */
  toleranceMs: number;
}

/** The name of a configured secret, and when it counts. */
export interface HookSecret {
  name: string;
  /** Milliseconds since the epoch. */
  from: number | undefined;
  until: number | undefined;
}

export const INPUT_TYPES = ['string', 'number', 'boolean', 'list', 'map', 'any'] as const;

/** Where an input comes from. */
export interface Extract {
  from:
    | { kind: 'json'; path: string }
    | { kind: 'expression'; expression: string }
    | { kind: 'header'; name: string }
    | { kind: 'query'; name: string };
  type: (typeof INPUT_TYPES)[number];
  /** Taken when there is nothing there. */
  default: Json | undefined;
  required: boolean;
}

interface ClientCertificateRule {
  /** `CN=a,O=b`: all attributes. */
  subject: string[];
  /** `DNS:a`, `URI:b`, as OpenSSL writes them. */
  san: string[];
  /** SHA-256 in hex, small letters and no colons. */
  fingerprint: string[];
}

/** Whose presses of buttons count. */
export interface ChatPeople {
  /** The id of the workspace that they are of. */
  team: string;
  /** Logins at GitHub, by the chat's ids of people. */
  users: Readonly<Record<string, string>>;
}

/** With what a request to a hook may come. */
export const HOOK_METHODS = ['POST', 'PUT', 'GET'] as const;

/** One valid hook: an endpoint at which a sender can start what specs say. */
export interface Hook {
  id: string;
  sender: SenderName;
  /** The git server that sends: its pushes and releases are those of its repositories. */
  server?: string | undefined;
  options: SenderOptions;
  /** Who presses the buttons of messages: it takes nothing else then. */
  people?: ChatPeople | undefined;
  /** Empty: only hooks of it that are made through the API take requests. */
  secrets: HookSecret[];
  methods: string[];
  contentTypes: string[];
  /** CIDRs, and `github` for those that GitHub sends from; empty: any. */
  addresses: string[];
  /** What the client's certificate must be: one of each list that is not empty. Undefined: none is asked for. */
  clientCertificate?: ClientCertificateRule | undefined;
  /** How many requests it takes. */
  rate: { count: number; perMs: number } | undefined;
  /** How many of them from one address, or one network of IPv6. */
  ratePerAddress?: Hook['rate'];
  extract: Record<string, Extract>;
  /** A JSON Schema of the inputs, a map. */
  schema: { [key: string]: Json } | undefined;
  /** Milliseconds that the answer waits for the runs to end; 0: it is given at once. */
  waitMs: number;
  /** Where the result of a run is posted: a CEL expression over the request, and the name of the secret that signs. */
  callback: { url: string; secret: string } | undefined;
  /** A CEL expression that must be true for anything to start. */
  if: string | undefined;
  /** A CEL expression whose value is the delivery's id. */
  dedupe: string | undefined;
}

/** A hook with where it came from. */
export interface LoadedHook {
  hook: Hook;
  /** Path below the deployments directory. */
  file: string;
  /** 1-based line at which its YAML document starts. */
  line: number;
}

/** A secret of a hook that was made through the API, which itself is not stored. */
export interface DynamicSecret {
  id: string;
  createdAt: number;
  /** Until when it counts; null: for ever. */
  until: number | null;
}

/** A hook that was made through the API: a configured one at an id of its own, with its own secrets, for some time. */
export interface DynamicHook {
  /** 128 random bits in hex. */
  id: string;
  /** The configured hook. */
  hook: string;
  owner: string;
  /** The only specs that it may start; empty: all that name the configured hook. */
  specs: string[];
  /** Inputs that no request changes. */
  inputs: { [name: string]: Json };
  secrets: DynamicSecret[];
  createdAt: number;
  createdBy: string;
  expiresAt: number;
}

/** What is stored of a request to a hook: the payload of its delivery, and what expressions call `event`. */
export interface HookPayload {
  /** The id of the configured hook. */
  hook: string;
  /** Of a hook that was made through the API. */
  dynamic?: { id: string; owner: string; specs: string[] };
  /** What the sender calls the event; null when it does not say. */
  type: string | null;
  inputs: { [name: string]: Json };
  body: Json;
  /** Of a hook for the buttons of messages: what was pressed; null when it was none of ours. */
  press?: ChatPress | null;
}

/** A press of a button, as far as it is kept. */
export interface ChatPress {
  action: string;
  value: string;
  user: string;
  /** The workspaces of the person and of the message; null where the chat does not say. */
  teams: (string | null)[];
  channel: string;
  /** The message's timestamp. */
  message: string;
}

const events = ownEvents('hook');
/** What a delivery of a hook has as its event. */
export const hookEventName = events.nameOf;
/** The hook of a delivery, by its event's name; undefined for GitHub's. */
export const hookOfEvent = events.aboutOf;

/** The environment variable in which steps find an input. */
export function inputVariable(name: string): string {
  return `MAINSHEET_INPUT_${name.replaceAll('-', '_').toUpperCase()}`;
}

/** The inputs in a stored payload; none when it is not a hook's, or no longer kept. */
export function inputsOf(payload: Json): { [name: string]: Json } {
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) return {};
  const { inputs } = payload;
  return typeof inputs === 'object' && inputs !== null && !Array.isArray(inputs) ? inputs : {};
}

/** The only specs that a stored request may start; empty: all. */
export function scopeOf(payload: Json): string[] {
  const { dynamic } = payload as unknown as HookPayload;
  return dynamic?.specs ?? [];
}

/** What was pressed, by a stored request to a hook for buttons; undefined for one to any other hook. */
export function pressIn(payload: Json): ChatPress | null | undefined {
  return (payload as unknown as HookPayload).press;
}
