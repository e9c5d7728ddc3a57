import { MainsheetError } from '../lib/errors.ts';
import { createApi, type Api } from './api-client.ts';
import { checkAttention } from './doctor-attention.ts';
import { about, type Check } from './doctor-check.ts';

const TIMEOUT_MS = 5000;

/** Whether a server runs, is ready, and takes our token; then also what in it waits for a person. */
export async function checkServer(deps: {
  url: string;
  /** Whether an option or a setting names it: then it has to be there. */
  expected: boolean;
  /** How the API is entered; undefined when that is not known, and then not tried. */
  access: { token: string | undefined } | undefined;
  /** Whether a problem of the server's specs has been said already. */
  isTold: (problem: string) => boolean;
  signal: AbortSignal;
  userAgent: string;
  fetch: typeof fetch;
}): Promise<{ answers: boolean; checks: Check[] }> {
  const { ok, warn, failed } = about('server');
  // With the token it says what exactly is wrong.
  const api = createApi({ ...deps, token: deps.access?.token, timeoutMs: TIMEOUT_MS });
  let readiness;
  try {
    readiness = await api.readiness();
  } catch (error) {
    if (deps.signal.aborted) throw error;
    const unreachable = error instanceof MainsheetError && error.code === 'server-unreachable';
    if (unreachable && !deps.expected) {
      const detail = `none answers at ${api.url}`;
      const hint = 'start it with "mainsheet serve"';
      return { answers: false, checks: [warn(detail, hint)] };
    }
    return { answers: false, checks: [failed(error)] };
  }
  const checks: Check[] = [ok(`answers at ${api.url}`)];
  for (const [name, { ok, detail, problems = [] }] of Object.entries(readiness.checks)) {
    const part = `server's ${name}`;
    checks.push(
      { subject: part, state: ok ? 'ok' : 'fail', detail: detail ?? (ok ? 'ready' : 'not ready') },
      ...problems
        .filter((problem) => !deps.isTold(problem))
        .map((problem) => about(part).fail(problem)),
    );
  }
  if (deps.access !== undefined) {
    checks.push(...(await checkAccess(api, deps.signal)));
  }
  return { answers: true, checks };
}

/** The same way as every other command goes. */
async function checkAccess(api: Api, signal: AbortSignal): Promise<Check[]> {
  const { ok, failed } = about('API');
  try {
    const attention = await checkAttention(api);
    return [ok('answers with the token'), ...attention];
  } catch (error) {
    if (signal.aborted) throw error;
    return [failed(error)];
  }
}
