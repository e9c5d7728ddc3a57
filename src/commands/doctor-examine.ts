import { join } from 'node:path';
import {
  COMMENT_PERMISSIONS,
  permissionsFor,
  PLAN_PERMISSIONS,
  PREVIEW_PERMISSIONS,
  SPEC_PERMISSIONS,
} from '../callbacks/index.ts';
import { readConfig, type Config, type ConfigAnswer, type DeploymentsSource } from '../config.ts';
import { readWayOut } from '../config/way-out.ts';
import type { Permission } from '../github/check.ts';
import { createGitHub, type GitHub } from '../github/client.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/logger.ts';
import { elsewhere } from '../lib/names.ts';
import { createFetch } from '../lib/way-out.ts';
import { DEFAULT_FEEDBACK, type LoadedSpec } from '../model/deployment-spec.ts';
import { stepKindOf } from '../steps/index.ts';
import { about, type Check } from './doctor-check.ts';
import { checkPostgres, checkSqlite } from './doctor-database.ts';
import { checkNames } from './doctor-names.ts';
import { checkDataDirectory, checkGit, checkPrograms, checkShell } from './doctor-machine.ts';
import { checkServer } from './doctor-server.ts';
import { checkStepUser } from './doctor-steps.ts';
import { checkPublicUrl, checkSpecs, checkWebhookSecrets } from './doctor-settings.ts';
import { checkWayOut } from './doctor-way-out.ts';
import { loadLocalSpecs } from './local-specs.ts';
import { eventsOf } from './spec-events.ts';

/** Where and as what it is looked at. */
export interface ExamineDeps {
  /** The environment that the server is started with. */
  env: Record<string, string | undefined>;
  version: string;
  /** Of the server. */
  url: string;
  /** Whether an option or a setting names the server: then it has to be there. */
  isExpected: boolean;
  /** The admin token, where it is known. */
  token: () => string | undefined;
  signal: AbortSignal;
}

/** Everything that is looked at, from the machine outwards, each as soon as it is known. */
export async function* examine(deps: ExamineDeps): AsyncGenerator<Check> {
  const { env, version, url, signal } = deps;
  yield about('Node').ok(process.versions.node);
  yield await checkGit(env);
  yield await checkShell();

  const read = readConfig(env, { isTerminal: false });
  const problems = 'problems' in read ? read.problems : [];
  for (const detail of problems) yield about('configuration').fail(detail);
  for (const detail of read.warnings) yield about('configuration').warn(detail);
  const config = usable(read, env);
  let specs: Check[] = [];
  if (config !== undefined) {
    if (config.webhookSecrets.length > 0) yield checkWebhookSecrets(config.webhookSecrets);
    yield checkPublicUrl(config.publicUrl);
    yield* await checkDataDirectory(config.dataDir);
    yield await checkStepUser(config);
    specs = await checkSpecs(config);
    yield* specs;
  }
  const server = await checkServer({
    url,
    expected: deps.isExpected,
    access: config && { token: deps.token() },
    isTold: (problem) => config !== undefined && isAmong(specs, problem, config.deployments),
    signal,
    userAgent: `mainsheet/${version}`,
    // What is wrong with it has been said above.
    fetch: createFetch(readWayOut(env).wayOut),
  });
  yield* server.checks;
  if (config === undefined) return;
  if (config.databaseUrl !== undefined) yield* await checkPostgres(config.databaseUrl);
  else if (!server.answers) yield* await checkSqlite(join(config.dataDir, 'mainsheet.db'));
  const github = githubOf(config, version);
  const used = await specsOf(config);
  yield* await checkPrograms(used, env['PATH'] ?? '');
  yield* await checkGitHub(config, github, used);
  const repositories = repositoriesOf(config, used);
  if (config.github.auth !== undefined) yield* await checkNames(github, repositories);
  yield* await checkWayOut({
    config,
    env,
    repository: [...repositories][0],
    credential: (repository) => github.gitCredential(repository),
    signal,
  });
}

/** Whether a problem of the server, which names files from where its specs are, is one that was found here. */
function isAmong(
  specs: readonly Check[],
  problem: string,
  deployments: DeploymentsSource,
): boolean {
  if (deployments.kind !== 'directory') return false;
  const here = join(deployments.path, '/');
  return specs.some(({ detail }) => detail === problem || detail === here + problem);
}

/** The configuration, also when nothing but the webhook secret is missing: the rest can be looked at all the same. */
function usable(read: ConfigAnswer, env: ExamineDeps['env']): Config | undefined {
  if ('config' in read) return read.config;
  const rest = readConfig(env, { isTerminal: false, requireWebhookSecret: false });
  return 'config' in rest ? rest.config : undefined;
}

function githubOf(config: Config, version: string): GitHub {
  return createGitHub({
    apiUrl: config.github.apiUrl,
    auth: config.github.auth,
    // What goes wrong is in the checks.
    logger: silentLogger,
    clock: systemClock,
    userAgent: `mainsheet/${version}`,
    fetch: createFetch(config.wayOut),
  });
}

async function checkGitHub(
  config: Config,
  github: GitHub,
  specs: readonly LoadedSpec[],
): Promise<Check[]> {
  // Without credentials everything but the reports works.
  const bad = config.github.auth === undefined ? 'warn' : 'fail';
  const feedback = [...DEFAULT_FEEDBACK, ...specs.flatMap(({ spec }) => spec.feedback)];
  const permissions = [
    ...permissionsFor(feedback),
    ...permissionsOfTeams(config, specs),
    ...(specs.some(({ spec }) => spec.comments) ? COMMENT_PERMISSIONS : []),
    ...specs.flatMap(({ spec }) =>
      [...spec.steps, ...(spec.teardown ?? [])].flatMap(
        (step) => stepKindOf(step).permissions?.(step) ?? [],
      ),
    ),
    ...(specs.some(({ spec }) => spec.plan) ? PLAN_PERMISSIONS : []),
    ...(specs.some(({ spec }) => spec.on.pullRequest) ? PREVIEW_PERMISSIONS : []),
    ...(config.deployments.kind === 'github' ? SPEC_PERMISSIONS : []),
  ];
  const events = new Set(specs.flatMap(({ spec }) => eventsOf(spec)));
  return (await github.check(permissions, events)).map(({ ok, detail, hint }) => ({
    subject: 'GitHub',
    state: ok ? 'ok' : bad,
    detail,
    ...(hint === undefined ? {} : { hint }),
  }));
}

/** Who is in a team an App may only ask with a permission on the organization. */
function permissionsOfTeams({ admins }: Config, specs: readonly LoadedSpec[]): Permission[] {
  const inGate = specs.some(({ spec }) =>
    spec.gates.some((gate) => gate.kind === 'approve' && gate.from.some(isTeam)),
  );
  const named = inGate ? 'a gate names' : 'MAINSHEET_ADMINS names';
  return inGate || admins.some((one) => 'team' in one)
    ? [{ name: 'members', least: 'read', why: `to look up who is in a team that ${named}` }]
    : [];
}

const isTeam = (approver: string) => approver.startsWith('team:');

/** Those that Mainsheet fetches from GitHub, as they are named. */
function repositoriesOf({ deployments }: Config, specs: readonly LoadedSpec[]): Set<string> {
  if (deployments.kind === 'github') return new Set([deployments.repository]);
  return new Set(
    specs.map(({ spec }) => spec.repository).filter((name) => elsewhere(name) === undefined),
  );
}

/** Those on this machine. */
async function specsOf({ deployments, stepLimits }: Config): Promise<LoadedSpec[]> {
  if (deployments.kind === 'github') return [];
  const found = await loadLocalSpecs(deployments.path, stepLimits).catch(() => undefined);
  return found?.specs ?? [];
}
