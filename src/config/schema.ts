import { createPrivateKey } from 'node:crypto';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import * as z from 'zod';
import { parseDuration } from '../lib/duration.ts';
import { FAILPOINTS, parseFailpoints, type FailpointPlan } from '../lib/failpoint.ts';
import { isRepository, refProblem } from '../lib/names.ts';
import { parseNetwork } from '../lib/networks.ts';
import { parseAdmins } from './admins.ts';
import { isToken } from './admin-token-file.ts';
import { parseStepLimits } from './step-limits.ts';
import { findStepUser } from './step-user.ts';
import { SHORTEST_SAFE_SECRET, splitWebhookSecrets } from './webhook-secrets.ts';
import { webUrl } from './web-url.ts';
import { quote, wrong, Wrong } from './wrong.ts';

const HOUR = 3_600_000;

/** Where specs come from. */
export type DeploymentsSource =
  /** Absolute path. */
  | { kind: 'directory'; path: string }
  /** `path` is '' for the repository's root; `ref` is undefined for the default branch. */
  | { kind: 'github'; repository: string; path: string; ref: string | undefined };

/**
 * Every variable but the secrets for specs, from its text to what the rest of the code wants. Absent variables stay
 * undefined. A message goes on where the variable's name ends: "is …: do …".
 */
export const configSchema = z.object({
  HOST: variable((text) =>
    /^[\w.:-]+$/.test(text)
      ? text
      : wrong('is no host name or IP address', 'write one such as 0.0.0.0'),
  ),
  PORT: wholeNumber(0, 65_535),
  MAINSHEET_DATA_DIR: variable((text) => resolve(text)),
  DATABASE_URL: variable(databaseUrl),
  MAINSHEET_DEPLOYMENTS: variable(deploymentsSource),
  MAINSHEET_PUBLIC_URL: variable(webUrl),
  MAINSHEET_TUNNEL: variable(webUrl),
  MAINSHEET_CONCURRENCY: wholeNumber(1, 1000),
  MAINSHEET_EXECUTOR: variable(executor),
  MAINSHEET_STEP_USER: variable((text) => {
    const found = findStepUser(text);
    return 'problem' in found ? wrong(found.problem, found.todo) : found.user;
  }),
  MAINSHEET_STEP_LIMITS: variable(parseStepLimits),
  MAINSHEET_STEP_TARGETS: variable(cidrs),
  MAINSHEET_ADMIN_TOKEN: variable(adminToken),
  MAINSHEET_SESSION_KEY: variable(sessionKeys),
  MAINSHEET_SOPS_AGE_KEY: variable(ageKeys),
  MAINSHEET_RECONCILE_INTERVAL: variable(interval),
  MAINSHEET_RETENTION: variable(retention),
  MAINSHEET_RETENTION_DELIVERIES: wholeNumber(1, 100_000_000),
  MAINSHEET_RETENTION_RUNS: wholeNumber(1, 100_000_000),
  MAINSHEET_TRUSTED_PROXIES: variable(networks),
  MAINSHEET_SMTP_URL: variable(smtpUrl),
  MAINSHEET_SMTP_FROM: variable((text) =>
    /^(?:[^<>@\p{Cc}]*<[^\s@<>\p{Cc}]+@[^\s@<>\p{Cc}]+>|[^\s@<>\p{Cc}]+@[^\s@<>\p{Cc}]+)$/u.test(
      text,
    )
      ? text
      : wrong('is no sender of mail', 'write it like Mainsheet <deploy@acme.example>'),
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: variable(webUrl),
  OTEL_EXPORTER_OTLP_HEADERS: variable(otlpHeaders),
  OTEL_SERVICE_NAME: variable((text) => text),
  MAINSHEET_SHUTDOWN_GRACE: variable(grace),
  MAINSHEET_LEASE: variable(lease),
  MAINSHEET_GITHUB_WRITES_PER_MINUTE: wholeNumber(1, 100_000),
  MAINSHEET_GITHUB_WRITES_PER_HOUR: wholeNumber(1, 1_000_000),
  MAINSHEET_FAILPOINTS: variable(failpoints),
  GITHUB_WEBHOOK_SECRET: variable(webhookSecrets),
  GITHUB_APP_ID: variable((text) =>
    /^[A-Za-z0-9.]+$/.test(text)
      ? text
      : wrong("is no App's id", "copy the App ID or Client ID from the App's settings page"),
  ),
  GITHUB_APP_PRIVATE_KEY: variable(privateKey),
  GITHUB_APP_CLIENT_ID: variable((text) =>
    /^[A-Za-z0-9._-]{1,100}$/.test(text)
      ? text
      : wrong("is no App's client id", "copy the Client ID from the App's settings page"),
  ),
  GITHUB_APP_CLIENT_SECRET: variable((text) =>
    /^[\x21-\x7e]+$/.test(text.trim())
      ? text.trim()
      : wrong('is no client secret', 'copy it whole'),
  ),
  MAINSHEET_ADMINS: variable(parseAdmins),
  GITHUB_TOKEN: variable((text) =>
    /^[\x21-\x7e]+$/.test(text.trim()) ? text.trim() : wrong('is no token', 'copy it whole'),
  ),
  GITHUB_API_URL: variable(webUrl),
  GITHUB_SERVER_URL: variable(webUrl),
  GITHUB_WEBHOOK_ADDRESSES: variable((text) => (text === 'github' ? text : networks(text))),
  LOG_LEVEL: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
  LOG_FORMAT: oneOf('json', 'pretty'),
});

/** What is set, checked. */
export type Given = z.output<typeof configSchema>;

function networks(text: string): string[] | Wrong {
  const parts = text.split(/[\s,]+/).filter(Boolean);
  const bad = parts.find((part) => parseNetwork(part) === undefined);
  return bad === undefined
    ? parts
    : wrong(`has "${bad}", which is no address or network`, 'write them like 10.0.0.0/8, fd00::/8');
}

function variable<Value>(parse: (text: string) => Value | Wrong) {
  return z
    .string()
    .transform((text, context): Value => {
      const value = parse(text);
      if (!(value instanceof Wrong)) return value;
      for (const message of value.messages) context.addIssue({ code: 'custom', message });
      return z.NEVER;
    })
    .optional();
}

function wholeNumber(least: number, most: number) {
  return variable((text) => {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : -1;
    if (number >= least && number <= most) return number;
    return wrong(`is ${quote(text)}`, `set a whole number from ${least} to ${most}`);
  });
}

function oneOf<const Word extends string>(...words: Word[]) {
  return variable(
    (text) =>
      words.find((word) => word === text.toLowerCase()) ??
      wrong(`is ${quote(text)}`, `set one of ${words.join(', ')}`),
  );
}

function executor(text: string): 'local' | Wrong {
  if (text === 'local') return text;
  return text === 'kubernetes'
    ? wrong('is "kubernetes", which is not available yet', 'set it to local, or remove it')
    : wrong(`is ${quote(text)}`, 'set it to local, or remove it');
}

function grace(text: string): number | Wrong {
  const ms = parseDuration(text);
  if (ms !== undefined && ms <= HOUR) return ms;
  return wrong(`is ${quote(text)}`, 'set a duration of at most 1h, such as 25s');
}

function lease(text: string): number | Wrong {
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= 1000 && ms <= 600_000) return ms;
  return wrong(`is ${quote(text)}`, 'set a duration from 1s to 10m, such as 30s');
}

/** 0 means never. */
function interval(text: string): number | Wrong {
  const ms = text === '0' ? 0 : parseDuration(text);
  if (ms !== undefined && ms <= 24 * HOUR) return ms;
  return wrong(`is ${quote(text)}`, 'set a duration of at most 24h, such as 1m, or 0 for never');
}

function failpoints(text: string): FailpointPlan | Wrong {
  const plan = parseFailpoints(text);
  if (plan !== undefined) return plan;
  return wrong(
    `is ${quote(text)}`,
    `remove it, or for a test name places such as ${FAILPOINTS[0]}:2`,
  );
}

/** 0 means for ever. */
function retention(text: string): number | Wrong {
  const ms = text === '0' ? 0 : parseDuration(text);
  if (ms === 0 || (ms !== undefined && ms >= 24 * HOUR && ms <= 10 * 365 * 24 * HOUR)) return ms;
  return wrong(`is ${quote(text)}`, 'set a duration from 1d to 3650d, such as 30d, or 0 for ever');
}

function databaseUrl(text: string): string | Wrong {
  const url = URL.parse(text.trim());
  if (url !== null && /^postgres(?:ql)?:$/.test(url.protocol)) return text.trim();
  return wrong(
    'is no PostgreSQL URL',
    'write postgres://user:password@host:5432/name, or remove it to use SQLite',
  );
}

/** `github:owner/repo[/path][@ref]`, or a directory. */
function deploymentsSource(text: string): DeploymentsSource | Wrong {
  if (!text.startsWith('github:')) return { kind: 'directory', path: resolve(text) };
  const form = /^github:([^/@]+\/[^/@]+)(?:\/([^@]*))?(?:@(.+))?$/.exec(text);
  const [, repository = '', path = '', ref] = form ?? [];
  const parts = path.split('/').filter((part) => part !== '');
  const safe =
    isRepository(repository) &&
    !parts.some((part) => part === '.' || part === '..') &&
    !/\p{Cc}/u.test(path) &&
    (ref === undefined || refProblem(ref) === undefined);
  if (!safe) return wrong(`is ${quote(text)}`, 'write github:owner/repo[/path][@ref]');
  return { kind: 'github', repository, path: parts.join('/'), ref };
}

/** A list with commas. */
function cidrs(text: string): string[] | Wrong {
  const list = text.split(/[\s,]+/).filter((part) => part !== '');
  const isCidr = (part: string) => {
    const [address = '', prefix = '', ...more] = part.split('/');
    const most = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
    return more.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= most;
  };
  const bad = list.find((part) => !isCidr(part));
  return bad === undefined ? list : wrong(`has ${quote(bad)}`, 'write CIDRs such as 127.0.0.1/32');
}

function adminToken(text: string): string | Wrong {
  if (!isToken(text)) {
    return wrong(
      'has a space or a character outside ASCII',
      'take one that fits into an HTTP header',
    );
  }
  return text.length >= SHORTEST_SAFE_SECRET
    ? text
    : wrong(
        'can be guessed',
        `set ${SHORTEST_SAFE_SECRET} or more random characters, such as those of "openssl rand -hex 32"`,
      );
}

/** Several stand one a line: the first seals, all of them open. */
function sessionKeys(text: string): string[] | Wrong {
  const keys = splitWebhookSecrets(text);
  const todo = 'set 32 or more random characters, such as those of "openssl rand -hex 32"';
  if (keys.length === 0) return wrong('holds no key', todo);
  return keys.some((key) => key.length < 32) ? wrong('can be guessed', todo) : keys;
}

/** As `age-keygen` writes them: one a line, comments begin with `#`. */
function ageKeys(text: string): string[] | Wrong {
  const keys = text.split(/\s*\n\s*/).filter((line) => line !== '' && !line.startsWith('#'));
  const isKey = (line: string) => /^AGE-SECRET-KEY-(?:PQ-)?1[A-Z\d]+$/.test(line);
  return keys.length > 0 && keys.every(isKey)
    ? keys
    : wrong('is no key of age', 'take the lines AGE-SECRET-KEY-… that age-keygen writes');
}

function webhookSecrets(text: string): string[] | Wrong {
  const secrets = splitWebhookSecrets(text);
  return secrets.length > 0 ? secrets : wrong('holds no secret', 'set one, or several on lines');
}

/** PEM; line breaks may be written as `\n`, because many places that hold variables allow one line only. */
function privateKey(text: string): string | Wrong {
  const pem = text.includes('\n') ? text : text.replaceAll(String.raw`\n`, '\n');
  try {
    if (createPrivateKey(pem).asymmetricKeyType === 'rsa') return pem.trim();
  } catch {
    // OpenSSL's own words do not help, and what it was given is secret.
  }
  return wrong(
    'is no RSA private key in PEM form',
    'use the whole .pem file that GitHub gave for the App, in GITHUB_APP_PRIVATE_KEY_FILE if need be',
  );
}

/** `name=value,name=value`, percent-encoded: https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables */
function otlpHeaders(text: string): Record<string, string> | Wrong {
  const headers: Record<string, string> = {};
  for (const part of text.split(',')) {
    const [, name, value = ''] = /^\s*([\w-]+)\s*=(.*)$/s.exec(part) ?? [];
    if (name === undefined) return wrong('is no list of headers', 'write name=value,name=value');
    try {
      headers[name.toLowerCase()] = decodeURIComponent(value.trim());
    } catch {
      return wrong(`has a value of ${name} that is not percent-encoded`, 'write % as %25');
    }
  }
  return headers;
}

function smtpUrl(text: string): string | Wrong {
  const url = URL.parse(text);
  return url === null || !/^smtps?:$/.test(url.protocol) || url.hostname === ''
    ? wrong(
        'is no address of a mail server',
        'write it like smtps://user:password@mail.example:465',
      )
    : text;
}
