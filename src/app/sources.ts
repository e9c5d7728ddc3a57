import { join } from 'node:path';
import type { Config } from '../config.ts';
import { hookSecretProblems } from '../controller/hooks/secret-problems.ts';
import type { Loop } from '../controller/loop.ts';
import type { TellSpecs } from '../controller/maintenance/spec-check.ts';
import { commitBehind, createSpecSource } from '../controller/maintenance/spec-source.ts';
import { createCheckouts, type Checkouts } from '../git/checkouts.ts';
import { createMirrors, type Mirrors } from '../git/mirrors.ts';
import type { GitServer } from '../git/remote-git.ts';
import type { GitHub } from '../github/client.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { gitUserOf } from '../lib/servers.ts';
import { gitWayOut } from '../lib/way-out.ts';
import type { Repositories } from '../store/repositories.ts';
import { createCatalog, type Catalog } from '../spec/catalog.ts';

/** Where code and specs come from. */
export interface Sources {
  mirrors: Mirrors;
  checkouts: Checkouts;
  catalog: Catalog;
  /** Set when the specs are in a repository. */
  specSource: Loop | undefined;
}

/** Builds git's side of the controller, clears away what a crash left of it, and reads the specs that are on disk. */
export async function openSources(deps: {
  config: Config;
  environment: Record<string, string | undefined>;
  github: Pick<GitHub, 'gitCredential' | 'forget' | 'currentName'>;
  repositories: Repositories;
  /** Hears what is wrong with the specs of a commit. */
  tellSpecs: TellSpecs | undefined;
  clock: Clock;
  logger: Logger;
}): Promise<Sources> {
  const { config, environment, github, repositories, clock, logger } = deps;
  const mirrors = createMirrors({
    directory: join(config.dataDir, 'mirrors'),
    serverUrl: config.github.serverUrl,
    credentials: (repository) => github.gitCredential(repository),
    refused: (repository) => github.forget(repository),
    names: {
      of: async (repository) => (await repositories.namesOf(repository))[0],
      ask: (repository) => github.currentName(repository),
    },
    others: await othersOf(config),
    environment,
    wayOut: await gitWayOut(config.wayOut, config.github.serverUrl, config.dataDir),
    logger,
    clock,
  });
  const checkouts = createCheckouts({
    directory: join(config.dataDir, 'work'),
    mirrors,
    environment,
    logger,
    clock,
  });
  await Promise.all([mirrors.sweep(), checkouts.sweep()]);

  const { deployments } = config;
  const specsLink = join(config.dataDir, 'specs');
  const catalog = createCatalog({
    ...(deployments.kind === 'directory'
      ? { directory: deployments.path }
      : {
          directory: specsLink,
          repository: deployments.repository,
          path: deployments.path,
          commit: () => commitBehind(specsLink),
        }),
    identities: config.sopsKeys,
    stepLimits: config.stepLimits,
    servers: config.servers,
    checkSecrets: (hooks, sealed) =>
      hookSecretProblems(hooks, (name) => config.secrets.get(name) ?? sealed(name)),
    logger,
    clock,
  });
  const specSource =
    deployments.kind === 'github'
      ? createSpecSource({
          ...deployments,
          link: specsLink,
          mirrors,
          checkouts,
          catalog,
          tell: deps.tellSpecs ?? (async () => undefined),
          logger,
        })
      : undefined;
  // Specs of a repository are read when the first checkout is there; deliveries wait for them in the inbox.
  if (specSource === undefined) await catalog.reload();
  return { mirrors, checkouts, catalog, specSource };
}

/** How git reaches the servers that are not GitHub. */
async function othersOf({ servers, wayOut, dataDir }: Config): Promise<Map<string, GitServer>> {
  const others = new Map<string, GitServer>();
  for (const server of servers.values()) {
    const { token: password, url: serverUrl } = server;
    const credential =
      password === undefined ? undefined : { username: gitUserOf(server), password };
    others.set(server.name, {
      serverUrl,
      credentials: async () => credential,
      wayOut: await gitWayOut(wayOut, serverUrl, dataDir),
    });
  }
  return others;
}
