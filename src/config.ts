import { resolve } from 'node:path';
import { inspect } from 'node:util';
import { describeError } from './lib/errors.ts';
import type { FailpointPlan } from './lib/failpoint.ts';
import type { Admin } from './config/admins.ts';
import { createSecrets, type Secrets } from './config/secrets.ts';
import { readClientCertificates, type ClientCertificates } from './config/client-certificates.ts';
import { configSchema, type DeploymentsSource, type Given } from './config/schema.ts';
import { readServers } from './config/servers.ts';
import type { StepUser } from './config/step-user.ts';
import type { StepLimits } from './lib/step-limits.ts';
import { readStoredApp, type StoredApp } from './config/stored-app.ts';
import { readVariables, secretFiles, type Environment } from './config/variables.ts';
import { unknownVariables } from './config/unknown.ts';
import { webhookSecretWarnings } from './config/webhook-secrets.ts';
import { readWayOut } from './config/way-out.ts';
import type { GitServers } from './lib/servers.ts';
import type { WayOutSettings } from './lib/way-out.ts';

export type { DeploymentsSource } from './config/schema.ts';
export type { Secrets } from './config/secrets.ts';

/** Everything that is set from outside, valid and complete. Printing it, as JSON or by `util.inspect`, hides secrets. */
export interface Config {
  host: string;
  /** 0: any free port. */
  port: number;
  /** Absolute. */
  dataDir: string;
  /** `postgres://…`; undefined means SQLite in `dataDir`. */
  databaseUrl: string | undefined;
  deployments: DeploymentsSource;
  /** Without a slash at the end. */
  publicUrl: string | undefined;
  /** A channel of smee.io that deliveries come through, or the address that makes one. */
  tunnel: string | undefined;
  /** Runs at once in this process. */
  concurrency: number;
  /** As whom steps run; undefined: as Mainsheet's own user. */
  stepUser: StepUser | undefined;
  /** What a step may use at most, and does when its spec does not say. */
  stepLimits: StepLimits;
  /** CIDRs of this machine that `http` steps may ask all the same. */
  stepTargets: string[];
  /** Undefined: the one that is made in the data directory. */
  adminToken: string | undefined;
  /** No GitHub App or token is set, and none was made: `/setup` is to make one. */
  needsSetup: boolean;
  /** The first seals what is kept of secrets in the data directory, all of them open it. Empty: it is only private. */
  sessionKeys: string[];
  /** Who may do everything, beside the holder of the admin token. */
  admins: Admin[];
  /** Keys of age that open the encrypted secrets beside the specs. */
  sopsKeys: string[];
  /** All of them are accepted. Empty only when `webhookSecret` was not `required`. */
  webhookSecrets: string[];
  github: {
    /** Without a slash at the end, as `serverUrl`. */
    apiUrl: string;
    serverUrl: string;
    /** From where webhooks may come: networks, or what GitHub says of itself. Undefined: from anywhere. */
    webhookAddresses: 'github' | string[] | undefined;
    auth: GitHubAuth | undefined;
    /** What people log in through; undefined: they cannot. */
    signIn: { clientId: string; clientSecret: string } | undefined;
    /** Requests that create content, for each installation (or the token). */
    writes: { perMinute: number; perHour: number };
  };
  /** Beside GitHub. */
  servers: GitServers;
  /** How git, requests to GitHub and webhooks get out. */
  wayOut: WayOutSettings;
  /** The secrets that specs may name. */
  secrets: Secrets;
  /** Every file and directory that a variable names as holding secrets. */
  secretFiles: string[];
  /** Addresses and networks of proxies whose `X-Forwarded-For` counts. */
  trustedProxies: string[];
  /** The mail server: whole, without user and password, and who mails are from. */
  smtp: { url: string; address: string; from: string } | undefined;
  /** How clients of hooks show certificates; undefined: they cannot. */
  clientCertificates: ClientCertificates | undefined;
  /** Where the spans of runs go, as OTLP over HTTP; undefined: nowhere. */
  traces: { url: string; headers: Record<string, string>; service: string } | undefined;
  logLevel: string;
  logFormat: 'json' | 'pretty';
  /** How often branches are compared with what is known of them, in milliseconds; 0: never. */
  reconcileIntervalMs: number;
  /** How long what is over is kept, in milliseconds (0: for ever), and how many of each at most. */
  retention: { ageMs: number; deliveries: number; runs: number };
  /** How long runs may go on after SIGTERM. */
  shutdownGraceMs: number;
  /** After this, what a process claimed and no longer renews is another's to take. */
  leaseMs: number;
  /** For the chaos tests: where this process kills itself. */
  failpoints: FailpointPlan;
}

export type GitHubAuth =
  /** `privateKey` is PEM. */
  { kind: 'app'; appId: string; privateKey: string } | { kind: 'token'; token: string };

/** Each entry is a sentence that names the variable, says what is wrong and what to do; none shows a secret. */
export type ConfigAnswer =
  { config: Config; warnings: string[] } | { problems: string[]; warnings: string[] };

/**
 * Reads the configuration from the environment and from the files that it names, and reports all problems
 * at once. A variable that is empty counts as not set. Secrets that specs name are read when they are looked up.
 * Where no GitHub is set it is the App that `/setup` has made. Commands that take no webhooks set `requireWebhookSecret` to false
 * (default true); with `setup` the answer may also be a configuration that `needsSetup`.
 */
export function readConfig(
  env: Environment,
  options: { isTerminal: boolean; requireWebhookSecret?: boolean; setup?: boolean },
): ConfigAnswer {
  const { values, problems } = readVariables(env);
  const { secrets, ...found } = createSecrets(env);
  const out = readWayOut(env);
  const { servers, ...listed } = readServers(env);
  const { clientCertificates, ...shown } = readClientCertificates(env);
  const misspelt = [...unknownVariables(env), ...found.warnings, ...listed.warnings];
  const warnings = [...misspelt, ...out.warnings];
  problems.push(...found.problems, ...listed.problems, ...shown.problems, ...out.problems);

  const parsed = configSchema.safeParse(values);
  if (!parsed.success) {
    problems.push(
      ...parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`),
    );
  }
  const given = (name: string) => values[name] !== undefined || (env[`${name}_FILE`] ?? '') !== '';
  const isSet = ['GITHUB_WEBHOOK_SECRET', 'GITHUB_APP_ID', 'GITHUB_TOKEN'].some(given);
  const set = parsed.data;
  const dataDir = resolve(set?.MAINSHEET_DATA_DIR ?? './data');
  let stored: StoredApp | undefined;
  try {
    if (!isSet) stored = readStoredApp(dataDir, set?.MAINSHEET_SESSION_KEY ?? []);
  } catch (error) {
    problems.push(`the GitHub App cannot be used: ${describeError(error)}`);
  }
  // A misspelt variable is to be mended, not worked around.
  const maySetUp = options.setup === true && !isSet && misspelt.length === 0;
  const needsSetup = maySetUp && parsed.success && problems.length === 0 && stored === undefined;
  if (
    options.requireWebhookSecret !== false &&
    !given('GITHUB_WEBHOOK_SECRET') &&
    stored === undefined &&
    !needsSetup
  ) {
    problems.push(
      'GITHUB_WEBHOOK_SECRET is not set: set it to the secret of the webhook ("openssl rand -hex 32" makes one), or GITHUB_WEBHOOK_SECRET_FILE to a file with it',
    );
  }
  for (const [name, other] of [
    ['GITHUB_APP_ID', 'GITHUB_APP_PRIVATE_KEY'],
    ['GITHUB_APP_PRIVATE_KEY', 'GITHUB_APP_ID'],
    ['GITHUB_APP_CLIENT_ID', 'GITHUB_APP_CLIENT_SECRET'],
    ['GITHUB_APP_CLIENT_SECRET', 'GITHUB_APP_CLIENT_ID'],
  ] as const) {
    if (given(name) && !given(other)) {
      const what = name.includes('CLIENT') ? 'log-in with GitHub' : 'a GitHub App';
      problems.push(`${other} is not set, but ${name} is: ${what} needs both`);
    }
  }
  if (set === undefined || problems.length > 0) return { problems: problems.sort(), warnings };

  if (set.GITHUB_APP_ID !== undefined && set.GITHUB_TOKEN !== undefined) {
    warnings.push('GITHUB_TOKEN is not used, because GITHUB_APP_ID is set: remove one of them');
  }
  if (set.MAINSHEET_FAILPOINTS !== undefined) {
    warnings.push('MAINSHEET_FAILPOINTS makes this process kill itself: it is for tests only');
  }
  warnings.push(...webhookSecretWarnings(set.GITHUB_WEBHOOK_SECRET ?? []));
  const config: Config = {
    host: set.HOST ?? '127.0.0.1',
    port: set.PORT ?? 3000,
    dataDir,
    databaseUrl: set.DATABASE_URL,
    deployments: set.MAINSHEET_DEPLOYMENTS ?? { kind: 'directory', path: resolve('./deployments') },
    publicUrl: set.MAINSHEET_PUBLIC_URL,
    tunnel: set.MAINSHEET_TUNNEL,
    concurrency: set.MAINSHEET_CONCURRENCY ?? 4,
    stepUser: set.MAINSHEET_STEP_USER,
    stepLimits: set.MAINSHEET_STEP_LIMITS ?? {},
    stepTargets: set.MAINSHEET_STEP_TARGETS ?? [],
    adminToken: set.MAINSHEET_ADMIN_TOKEN,
    needsSetup,
    sessionKeys: set.MAINSHEET_SESSION_KEY ?? [],
    admins: set.MAINSHEET_ADMINS ?? [],
    sopsKeys: set.MAINSHEET_SOPS_AGE_KEY ?? [],
    webhookSecrets:
      set.GITHUB_WEBHOOK_SECRET ?? (stored === undefined ? [] : [stored.webhookSecret]),
    github: {
      ...githubUrls(set.GITHUB_API_URL, set.GITHUB_SERVER_URL),
      webhookAddresses: set.GITHUB_WEBHOOK_ADDRESSES,
      auth: stored === undefined ? authOf(set) : appOf(stored),
      signIn:
        signInOf(set) ??
        (stored && { clientId: stored.clientId, clientSecret: stored.clientSecret }),
      // https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
      writes: {
        perMinute: set.MAINSHEET_GITHUB_WRITES_PER_MINUTE ?? 80,
        perHour: set.MAINSHEET_GITHUB_WRITES_PER_HOUR ?? 500,
      },
    },
    servers,
    wayOut: out.wayOut,
    secrets,
    secretFiles: secretFiles(env),
    trustedProxies: set.MAINSHEET_TRUSTED_PROXIES ?? [],
    clientCertificates,
    traces: tracesOf(set),
    smtp: smtpOf(set),
    logLevel: set.LOG_LEVEL ?? 'info',
    logFormat: set.LOG_FORMAT ?? (options.isTerminal ? 'pretty' : 'json'),
    reconcileIntervalMs: set.MAINSHEET_RECONCILE_INTERVAL ?? 60_000,
    retention: {
      ageMs: set.MAINSHEET_RETENTION ?? 30 * 86_400_000,
      deliveries: set.MAINSHEET_RETENTION_DELIVERIES ?? 100_000,
      runs: set.MAINSHEET_RETENTION_RUNS ?? 10_000,
    },
    shutdownGraceMs: set.MAINSHEET_SHUTDOWN_GRACE ?? 25_000,
    leaseMs: set.MAINSHEET_LEASE ?? 30_000,
    failpoints: set.MAINSHEET_FAILPOINTS ?? new Map(),
  };
  return { config: hideSecrets(config), warnings };
}

/** GitHub Enterprise Server has its API below the server's own address, so one of the two is enough to know both. */
function githubUrls(api: string | undefined, server: string | undefined) {
  const suffix = '/api/v3';
  if (api === undefined && server !== undefined && server !== 'https://github.com') {
    return { apiUrl: server + suffix, serverUrl: server };
  }
  if (server === undefined && api?.endsWith(suffix)) {
    return { apiUrl: api, serverUrl: api.slice(0, -suffix.length) };
  }
  return { apiUrl: api ?? 'https://api.github.com', serverUrl: server ?? 'https://github.com' };
}

function smtpOf(set: Given): Config['smtp'] {
  const url = set.MAINSHEET_SMTP_URL;
  if (url === undefined) return undefined;
  const { protocol, host, hostname } = new URL(url);
  const from = set.MAINSHEET_SMTP_FROM ?? `Mainsheet <mainsheet@${hostname}>`;
  return { url, address: `${protocol}//${host}`, from };
}

/** https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp */
function tracesOf(set: Given): Config['traces'] {
  const base = set.OTEL_EXPORTER_OTLP_ENDPOINT;
  return base === undefined
    ? undefined
    : {
        url: `${base}/v1/traces`,
        headers: set.OTEL_EXPORTER_OTLP_HEADERS ?? {},
        service: set.OTEL_SERVICE_NAME ?? 'mainsheet',
      };
}

function authOf(set: Given): GitHubAuth | undefined {
  if (set.GITHUB_APP_ID !== undefined && set.GITHUB_APP_PRIVATE_KEY !== undefined) {
    return { kind: 'app', appId: set.GITHUB_APP_ID, privateKey: set.GITHUB_APP_PRIVATE_KEY };
  }
  return set.GITHUB_TOKEN === undefined ? undefined : { kind: 'token', token: set.GITHUB_TOKEN };
}

function signInOf(set: Given): Config['github']['signIn'] {
  const { GITHUB_APP_CLIENT_ID: clientId, GITHUB_APP_CLIENT_SECRET: clientSecret } = set;
  return clientId === undefined || clientSecret === undefined
    ? undefined
    : { clientId, clientSecret };
}

function appOf({ appId, privateKey }: StoredApp): GitHubAuth {
  return { kind: 'app', appId, privateKey };
}

/** Every object that holds a secret gets a printed form of its own, so that no part of the configuration prints one. */
function hideSecrets(config: Config): Config {
  const { auth, signIn } = config.github;
  if (signIn !== undefined) printAs(signIn, { ...signIn, clientSecret: '***' });
  if (auth?.kind === 'app') printAs(auth, { ...auth, privateKey: '***' });
  if (auth?.kind === 'token') printAs(auth, { ...auth, token: '***' });
  printAs(
    config.webhookSecrets,
    config.webhookSecrets.map(() => '***'),
  );
  const { wayOut, servers } = config;
  for (const server of servers.values()) {
    printAs(server, { ...server, token: server.token && '***' });
  }
  const listener = config.clientCertificates?.listener;
  if (listener !== undefined) printAs(listener, { ...listener, key: '***' });
  printAs(servers, [...servers.values()]);
  printAs(wayOut, {
    ...wayOut,
    httpsProxy: wayOut.httpsProxy && '***',
    httpProxy: wayOut.httpProxy && '***',
  });
  return printAs(config, {
    ...config,
    databaseUrl: config.databaseUrl && '***',
    adminToken: config.adminToken && '***',
    secrets: '***',
    sessionKeys: config.sessionKeys.map(() => '***'),
  });
}

function printAs<Value extends object>(value: Value, shown: object): Value {
  return Object.defineProperties(value, {
    toJSON: { value: () => shown },
    [inspect.custom]: {
      value: (_depth: number, options: object, print: typeof inspect) => print(shown, options),
    },
  });
}
