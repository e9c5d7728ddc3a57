import { resolve } from 'node:path';
import { describeError } from '../lib/errors.ts';
import { readSecretFile } from './secret-file.ts';

export type Environment = Record<string, string | undefined>;

/** Variables that hold a secret, and may therefore be given as `NAME_FILE` too. */
export const SECRET_VARIABLES = [
  'DATABASE_URL',
  'MAINSHEET_ADMIN_TOKEN',
  'MAINSHEET_SESSION_KEY',
  'MAINSHEET_SOPS_AGE_KEY',
  'MAINSHEET_SMTP_URL',
  'GITHUB_WEBHOOK_SECRET',
  'GITHUB_APP_PRIVATE_KEY',
  'GITHUB_APP_CLIENT_SECRET',
  'GITHUB_TOKEN',
  'OTEL_EXPORTER_OTLP_HEADERS',
] as const;

export const PLAIN_VARIABLES = [
  'HOST',
  'PORT',
  'MAINSHEET_DATA_DIR',
  'MAINSHEET_DEPLOYMENTS',
  'MAINSHEET_PUBLIC_URL',
  'MAINSHEET_TUNNEL',
  'MAINSHEET_CA_FILE',
  'MAINSHEET_CONCURRENCY',
  'MAINSHEET_EXECUTOR',
  'MAINSHEET_STEP_USER',
  'MAINSHEET_STEP_LIMITS',
  'MAINSHEET_STEP_TARGETS',
  'MAINSHEET_RECONCILE_INTERVAL',
  'MAINSHEET_RETENTION',
  'MAINSHEET_RETENTION_DELIVERIES',
  'MAINSHEET_RETENTION_RUNS',
  'MAINSHEET_SECRETS_DIR',
  'MAINSHEET_SERVERS',
  'MAINSHEET_TRUSTED_PROXIES',
  'MAINSHEET_CLIENT_CA_FILE',
  'MAINSHEET_CLIENT_CERTIFICATE_HEADER',
  'MAINSHEET_TLS_PORT',
  'MAINSHEET_TLS_CERT_FILE',
  'MAINSHEET_TLS_KEY_FILE',
  'MAINSHEET_SHUTDOWN_GRACE',
  'MAINSHEET_LEASE',
  'MAINSHEET_GITHUB_WRITES_PER_MINUTE',
  'MAINSHEET_GITHUB_WRITES_PER_HOUR',
  'MAINSHEET_FAILPOINTS',
  'GITHUB_APP_ID',
  'GITHUB_APP_CLIENT_ID',
  'MAINSHEET_ADMINS',
  'GITHUB_API_URL',
  'GITHUB_SERVER_URL',
  'MAINSHEET_SMTP_FROM',
  'GITHUB_WEBHOOK_ADDRESSES',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_SERVICE_NAME',
  'LOG_LEVEL',
  'LOG_FORMAT',
] as const;

/** The text of every known variable that is set and not empty; secrets come from their files where those are named. */
export function readVariables(env: Environment): {
  values: Record<string, string>;
  problems: string[];
} {
  const values: Record<string, string> = {};
  const problems: string[] = [];
  for (const name of PLAIN_VARIABLES) {
    const value = env[name]?.trim() ?? '';
    if (value !== '') values[name] = value;
  }
  for (const name of SECRET_VARIABLES) {
    const value = secretVariable(env, name, problems);
    if (value !== undefined) values[name] = value;
  }
  return { values, problems };
}

/** The paths that variables name as holding secrets: absolute. */
export function secretFiles(env: Environment): string[] {
  const names = [
    'MAINSHEET_SECRETS_DIR',
    'MAINSHEET_TLS_KEY_FILE',
    ...SECRET_VARIABLES.map((name) => `${name}_FILE`),
    ...Object.keys(env).filter((name) =>
      /^MAINSHEET_(?:SECRET_.+|SERVER_.+_TOKEN)_FILE$/.test(name),
    ),
  ];
  return names.flatMap((name) => {
    const path = env[name]?.trim() ?? '';
    return path === '' ? [] : [resolve(path)];
  });
}

/** The text of a variable, or of the file that `<name>_FILE` names; undefined where neither is set. */
export function secretVariable(
  env: Environment,
  name: string,
  problems: string[],
): string | undefined {
  const value = env[name] ?? '';
  const path = env[`${name}_FILE`] ?? '';
  if (path === '') return value === '' ? undefined : value;
  if (value !== '') {
    problems.push(`${name} and ${name}_FILE are both set: keep one of them`);
    return undefined;
  }
  try {
    const content = readSecretFile(path);
    if (content.trim() !== '') return content;
    problems.push(`${name}_FILE names an empty file, ${path}: write the value into it`);
  } catch (error) {
    problems.push(`${name}_FILE cannot be used: ${describeError(error)}`);
  }
  return undefined;
}
