import { SHORTEST_SAFE_SECRET } from '../config/webhook-secrets.ts';
import type { Config } from '../config.ts';
import { hookSecretProblems } from '../controller/hooks/secret-problems.ts';
import { isLoopback } from '../lib/way-out.ts';
import { listSpecFiles } from '../spec/files.ts';
import { formatProblem } from '../spec/problem.ts';
import { openSealedFiles } from '../spec/sealed-files.ts';
import { about, type Check } from './doctor-check.ts';
import { loadLocalSpecs } from './local-specs.ts';

/** Whether the specs are valid, and the secrets that they name are there. */
export async function checkSpecs({
  deployments: source,
  secrets: set,
  sopsKeys,
  stepLimits,
}: Pick<Config, 'deployments' | 'secrets' | 'sopsKeys' | 'stepLimits'>): Promise<Check[]> {
  const { ok, warn, fail, failed } = about('specs');
  if (source.kind === 'github') {
    const detail = `kept in ${source.repository}: only the server reads them`;
    return [ok(detail)];
  }
  const { path } = source;
  try {
    const { specs, hooks, ...loaded } = await loadLocalSpecs(path, stepLimits);
    const sealed = await openSealedFiles((await listSpecFiles(path)).sealed, sopsKeys);
    const valueOf = (name: string) => set.get(name) ?? sealed.secrets.get(name);
    const wrong = hookSecretProblems(hooks, valueOf);
    const problems = [...loaded.problems, ...sealed.problems, ...wrong];
    if (problems.length > 0) {
      return problems.map((problem) => fail(formatProblem(problem)));
    }
    if (specs.length === 0) {
      const hint =
        '"mainsheet init", in a clone of what is to be deployed, proposes one; "mainsheet validate" checks it';
      return [warn(`there is none in ${path}`, hint)];
    }
    const named = [
      ...specs.map(({ spec }) => ({ name: spec.name, secrets: spec.secrets })),
      ...hooks.map(({ hook: { id, secrets } }) => ({
        name: `the hook ${id}`,
        secrets: secrets.map((secret) => secret.name),
      })),
    ];
    const missing = named.flatMap(({ name: by, secrets }) =>
      secrets
        .filter((name) => valueOf(name) === undefined)
        .map((name) =>
          fail(
            `${by} names the secret ${name}, which is not set`,
            `set MAINSHEET_SECRET_${name}, or put a file ${name} into MAINSHEET_SECRETS_DIR`,
          ),
        ),
    );
    const locked = sealed.warnings.map((warning) => warn(formatProblem(warning)));
    const found = ok(`${specs.length} valid in ${path}`);
    return [found, ...locked, ...missing];
  } catch (error) {
    return [failed(error)];
  }
}

/** Whether the webhook secrets are long enough not to be guessed. */
export function checkWebhookSecrets(secrets: readonly string[]): Check {
  const { ok, warn } = about('webhook secret');
  const short = secrets.filter((secret) => secret.length < SHORTEST_SAFE_SECRET).length;
  if (short === 0) {
    return ok(`${secrets.length} set`);
  }
  return warn(
    `${short} of ${secrets.length} shorter than ${SHORTEST_SAFE_SECRET} characters: it could be guessed`,
    'make one with "openssl rand -hex 32", and set it on GitHub too',
  );
}

/** Whether links on GitHub will lead here. */
export function checkPublicUrl(url: string | undefined): Check {
  const { ok, warn } = about('public URL');
  if (url === undefined) {
    return warn(
      'not set: statuses on GitHub have no link to the run',
      'set MAINSHEET_PUBLIC_URL to the address that people reach Mainsheet at',
    );
  }
  const { protocol, hostname } = new URL(url);
  if (isLoopback(hostname)) {
    const hint = 'set MAINSHEET_PUBLIC_URL to an address that others reach';
    return warn(`${url} leads to each reader's own machine`, hint);
  }
  return protocol === 'https:'
    ? ok(url)
    : warn(`${url} is not https`, 'put a proxy with TLS in front, and let GitHub send to it');
}
