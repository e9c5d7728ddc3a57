import { SHORTEST_SAFE_SECRET } from '../config/webhook-secrets.ts';
import type { Config } from '../config.ts';
import { hookSecretProblems } from '../controller/hooks/secret-problems.ts';
import { isLoopback } from '../lib/way-out.ts';
import { listSpecFiles } from '../spec/files.ts';
import { formatProblem } from '../spec/problem.ts';
import { openSealedFiles } from '../spec/sealed-files.ts';
import { failedCheck, type Check } from './doctor-check.ts';
import { loadLocalSpecs } from './local-specs.ts';

/** Whether the specs are valid, and the secrets that they name are there. */
export async function checkSpecs({
  deployments: source,
  secrets: set,
  sopsKeys,
  stepLimits,
}: Pick<Config, 'deployments' | 'secrets' | 'sopsKeys' | 'stepLimits'>): Promise<Check[]> {
  const subject = 'specs';
  if (source.kind === 'github') {
    const detail = `kept in ${source.repository}: only the server reads them`;
    return [{ subject, state: 'ok', detail }];
  }
  const { path } = source;
  try {
    const { specs, hooks, ...loaded } = await loadLocalSpecs(path, stepLimits);
    const sealed = await openSealedFiles((await listSpecFiles(path)).sealed, sopsKeys);
    const valueOf = (name: string) => set.get(name) ?? sealed.secrets.get(name);
    const wrong = hookSecretProblems(hooks, valueOf);
    const problems = [...loaded.problems, ...sealed.problems, ...wrong];
    if (problems.length > 0) {
      return problems.map((problem) => ({
        subject,
        state: 'fail',
        detail: formatProblem(problem),
      }));
    }
    if (specs.length === 0) {
      const hint = 'write one: the README shows how, "mainsheet validate" checks it';
      return [{ subject, state: 'warn', detail: `there is none in ${path}`, hint }];
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
        .map((name): Check => ({
          subject,
          state: 'fail',
          detail: `${by} names the secret ${name}, which is not set`,
          hint: `set MAINSHEET_SECRET_${name}, or put a file ${name} into MAINSHEET_SECRETS_DIR`,
        })),
    );
    const locked = sealed.warnings.map((warning): Check => ({
      subject,
      state: 'warn',
      detail: formatProblem(warning),
    }));
    const found: Check = { subject, state: 'ok', detail: `${specs.length} valid in ${path}` };
    return [found, ...locked, ...missing];
  } catch (error) {
    return [failedCheck(subject, error)];
  }
}

/** Whether the webhook secrets are long enough not to be guessed. */
export function checkWebhookSecrets(secrets: readonly string[]): Check {
  const subject = 'webhook secret';
  const short = secrets.filter((secret) => secret.length < SHORTEST_SAFE_SECRET).length;
  if (short === 0) {
    return { subject, state: 'ok', detail: `${secrets.length} set` };
  }
  return {
    subject,
    state: 'warn',
    detail: `${short} of ${secrets.length} shorter than ${SHORTEST_SAFE_SECRET} characters: it could be guessed`,
    hint: 'make one with "openssl rand -hex 32", and set it on GitHub too',
  };
}

/** Whether links on GitHub will lead here. */
export function checkPublicUrl(url: string | undefined): Check {
  const subject = 'public URL';
  if (url === undefined) {
    return {
      subject,
      state: 'warn',
      detail: 'not set: statuses on GitHub have no link to the run',
      hint: 'set MAINSHEET_PUBLIC_URL to the address that people reach Mainsheet at',
    };
  }
  const { protocol, hostname } = new URL(url);
  if (isLoopback(hostname)) {
    const hint = 'set MAINSHEET_PUBLIC_URL to an address that others reach';
    return { subject, state: 'warn', detail: `${url} leads to each reader's own machine`, hint };
  }
  return protocol === 'https:'
    ? { subject, state: 'ok', detail: url }
    : {
        subject,
        state: 'warn',
        detail: `${url} is not https`,
        hint: 'put a proxy with TLS in front, and let GitHub send to it',
      };
}
