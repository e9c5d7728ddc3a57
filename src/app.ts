import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { openAdminToken } from './app/admin-token.ts';
import { createCheckUp } from './app/check-up.ts';
import { clearScratch, makeDataDirectory, scratchIn } from './app/data-directory.ts';
import { createGitHubAddresses } from './app/github-addresses.ts';
import { warnOfUnsetSecrets } from './app/unset-secrets.ts';
import { killGrace } from './app/kill-grace.ts';
import { listen } from './app/listen.ts';
import { lookForMissed } from './app/missed.ts';
import { openHooks } from './app/hooks.ts';
import { openStore } from './app/open-store.ts';
import { outputsKey } from './app/kept-keys.ts';
import { settingsOf } from './app/settings.ts';
import { openSources } from './app/sources.ts';
import { wakeLoops } from './app/wake-loops.ts';
import { createBacktest } from './controller/operator/backtest.ts';
import { createDeploy } from './controller/operator/deploy.ts';
import { createExpire } from './controller/maintenance/expire.ts';
import { createFeedback } from './controller/feedback/feedback.ts';
import { createApprovers } from './controller/operator/approvers.ts';
import { createGateLoop } from './controller/operator/gate-loop.ts';
import { createChainLoop } from './controller/maintenance/chains.ts';
import { createGates } from './controller/operator/gates.ts';
import { createHookRollback } from './controller/operator/hook-rollback.ts';
import { createIntake } from './controller/intake/intake.ts';
import { createOperate } from './controller/operator/operate.ts';
import { createPressed } from './controller/operator/press.ts';
import { createMakePlan } from './controller/plans/make-plan.ts';
import { createTeardownLoop } from './controller/previews/teardown-loop.ts';
import { createPlanner } from './controller/plans/planner.ts';
import { createWhyNoPlan } from './controller/plans/wanted.ts';
import { createPausing } from './controller/operator/pausing.ts';
import { createResolve } from './controller/intake/resolve.ts';
import { createWhy } from './controller/operator/why.ts';
import { createSchedules } from './controller/maintenance/schedules.ts';
import { createTellSpecs } from './controller/maintenance/spec-check.ts';
import { createTidy } from './controller/maintenance/retention.ts';
import { createRunner } from './controller/runner/runner.ts';
import { startCronJobs } from './controller/maintenance/cron-jobs.ts';
import { keepStepsApart } from './controller/runner/steps-apart.ts';
import { createBudget } from './github/budget.ts';
import { createGitHub } from './github/client.ts';
import { createMayDo } from './github/may-do.ts';
import { createReadPullRequest } from './github/pull-requests.ts';
import { createCommented } from './controller/operator/comments.ts';
import { createPeople } from './github/people.ts';
import { createPermissions } from './github/permissions.ts';
import { createSignIn } from './github/sign-in.ts';
import { createSender } from './callbacks/send.ts';
import { createHttpServer } from './http/server.ts';
import { createBroadcast } from './lib/broadcast.ts';
import { systemClock } from './lib/clock.ts';
import { describeError } from './lib/errors.ts';
import { createFailpoint } from './lib/failpoint.ts';
import type { Logger } from './lib/logger.ts';
import { ownerOf } from './lib/names.ts';
import { createSeal } from './lib/seal.ts';
import { createFetch } from './lib/way-out.ts';
import { followersOf } from './model/chain.ts';
import { isLaneOfOthers } from './model/pause.ts';
import type { News } from './model/news.ts';
import { createExecute } from './runs/execute.ts';
import { createOrdering } from './runs/ordering/ordering.ts';
import { createRender } from './runs/render-callback.ts';
import { createSpecReader } from './runs/snapshot.ts';
import { createTransitions } from './runs/transition.ts';
import { createInterrupt } from './steps/interrupt.ts';
import { createEndLeftovers } from './steps/leftovers.ts';
import { findSetpriv } from './steps/no-new-privileges.ts';
import { createOrphans } from './steps/orphans.ts';
import { createAsk } from './steps/ask.ts';
import { createRunProgram } from './steps/run-program.ts';
import { createPlanFiles } from './steps/plan-files.ts';
import { createTargets } from './steps/targets.ts';
import { findShell } from './steps/shell.ts';
import { createSteps } from './steps/index.ts';
import type { Store } from './store/index.ts';
import { lockDataDirectory } from './store/data-lock.ts';
import type { Config } from './config.ts';

const MAX_LOG_BYTES = 10 * 1024 * 1024;

/** A controller that is up. */
export interface App {
  /** Where it listens: `http://127.0.0.1:3000`. */
  url: string;
  /** Stops taking, finishes or hands over what runs, and closes everything. */
  stop(): Promise<void>;
}

/**
 * Builds everything once, by hand, and starts it. `environment` is the process's, of which git and
 * steps each see the few variables that they need.
 * Throws MainsheetError when the store, the shell or the listener is not to be had.
 */
export async function startApp(deps: {
  config: Config;
  environment: Record<string, string | undefined>;
  version: string;
  logger: Logger;
}): Promise<App> {
  const { config, environment, logger } = deps;
  const { databaseUrl, deployments } = config;
  const clock = systemClock;
  const news = createBroadcast<News>();
  const shell = await findShell();
  const scratchDirectory = scratchIn(config.dataDir);
  await makeDataDirectory(config, logger);
  const unlock = lockDataDirectory(config.dataDir);
  // Before what sees that steps cannot read it.
  const adminToken = await openAdminToken(config, logger);
  const { stepUser } = config;
  const setpriv = stepUser === undefined ? undefined : await findSetpriv(shell);
  await keepStepsApart({ config, scratchDirectory, shell, setpriv, clock, logger });

  const failpoint = createFailpoint(config.failpoints);
  const store = await openStore(config, logger, failpoint);
  const relay =
    databaseUrl === undefined
      ? undefined
      : (await import('./store/relay.ts')).createRelay({ url: databaseUrl, news, clock, logger });

  const budget = createBudget({
    clock,
    limits: config.github.writes,
    shared: config.github.auth?.kind === 'token',
    log: store.githubWrites,
  });
  const fetch = createFetch(config.wayOut);
  const github = createGitHub({
    apiUrl: config.github.apiUrl,
    auth: config.github.auth,
    logger,
    clock,
    fetch,
    names: {
      idOf: (repository) => store.repositories.idOf(repository),
      async called(id, name, asked) {
        await store.repositories.see(id, asked, clock.now());
        await store.repositories.see(id, name, clock.now(), true);
      },
    },
    onPrimaryLimit: (account, primary) => budget.observe(account, primary),
    onInstallation(repository, isThere) {
      store.installations.noteAsked(repository, isThere, clock.now()).catch((error: unknown) => {
        logger.warn({ repository, error: describeError(error) }, 'installation not noted');
      });
    },
  });
  const interrupt = createInterrupt(join(config.dataDir, 'interrupted'));
  const orphans = createOrphans({ clock, interrupt });
  await orphans.endBelow(config.dataDir);
  await clearScratch(config.dataDir, logger);

  const home = deployments.kind === 'github' ? deployments : undefined;
  const { mirrors, checkouts, catalog, specSource } = await openSources({
    config,
    environment,
    github,
    repositories: store.repositories,
    tellSpecs:
      home &&
      createTellSpecs({
        ...home,
        store,
        feedback: config.github.auth?.kind,
        clock,
      }),
    clock,
    logger,
  });

  const specOf = createSpecReader();
  const transitions = createTransitions({
    store,
    specOf,
    clock,
    news,
    publicUrl: config.publicUrl,
    feedback: config.github.auth?.kind,
    traced: config.traces !== undefined,
    servers: config.servers,
    followersOf(spec) {
      const { loadedAt, specs } = catalog.current();
      return loadedAt === 0 ? undefined : followersOf(spec, specs);
    },
    sharesLane: (run) => isLaneOfOthers(run, catalog.current().specs),
    failpoint,
  });
  // What is set for this process goes before what stands beside the specs.
  const secret = (name: string) => config.secrets.get(name) ?? catalog.secret(name);
  warnOfUnsetSecrets({ catalog, secret, logger });
  const ordering = createOrdering({ store, mirrors, clock });
  const targets = createTargets(config.stepTargets);
  const outside = createFetch(config.wayOut, targets.lookup);
  const ask = createAsk({ targets, fetch: outside });
  const seal = createSeal(await outputsKey(config.dataDir));
  const plans = createPlanFiles(join(config.dataDir, 'plans'), seal);
  transitions.ended.subscribe((run) => {
    if (run.startedAt === undefined) return;
    plans.removeOf(run.id).catch((error: unknown) => {
      logger.warn({ run: run.id, error: describeError(error) }, 'plan cannot be removed');
    });
  });
  const runProgram = createRunProgram({
    clock,
    shell,
    user: stepUser,
    setpriv,
    killGraceMs: killGrace(config),
    interrupt,
  });
  const execute = createExecute({
    store,
    checkouts,
    ordering,
    seal,
    steps: createSteps({
      ask,
      github,
      budget,
      targets,
      runProgram,
      plans,
      shell,
      user: stepUser,
      limits: config.stepLimits,
      killGraceMs: killGrace(config),
      clock,
    }),
    specOf,
    secret,
    scratchDirectory,
    stepUser,
    orphans,
    inherited: environment,
    maxLogBytes: MAX_LOG_BYTES,
    clock,
    news,
    failpoint,
  });
  const holder = randomUUID();
  const runner = createRunner({
    store,
    transitions,
    execute,
    endLeftovers:
      stepUser === undefined
        ? undefined
        : createEndLeftovers({ clock, uid: stepUser.uid, isSpared: orphans.isFinishing }),
    holder,
    concurrency: config.concurrency,
    leaseMs: config.leaseMs,
    graceMs: config.shutdownGraceMs,
    clock,
    logger,
    failpoint,
  });
  const feedback = createFeedback({
    store,
    sender: createSender({
      github,
      fetch,
      fetchAsked: targets.guard(outside),
      smtp: config.smtp,
      clock,
    }),
    render: createRender({
      store,
      specOf,
      secret,
      publicUrl: config.publicUrl,
      traces: config.traces,
      smtp: config.smtp,
      servers: config.servers,
    }),
    leaseMs: config.leaseMs,
    budget,
    clock,
    logger,
    news,
    failpoint,
  });
  const operateOn = (on: Store) =>
    createOperate({
      store: on,
      catalog,
      transitions,
      specOf,
      clock,
    });
  const operate = operateOn(store);
  const deployOn = (on: Store) =>
    createDeploy({ store: on, catalog, mirrors, transitions, clock, news });
  const deploy = deployOn(store);
  const people = createPeople({ github, clock });
  const approvers = createApprovers({ store, people });
  const gatesOn = (on: Store) =>
    createGates({
      store: on,
      transitions,
      specOf,
      approvers,
      clock,
      failpoint,
    });
  const gates = gatesOn(store);
  const permissions = createPermissions({ github, clock });
  const mayDo = createMayDo({ permissions });
  const backtest = createBacktest({ store, catalog });
  const planner = createPlanner({
    store,
    catalog,
    makePlan: createMakePlan({
      catalog,
      mirrors,
      backtest,
      home,
      stepLimits: config.stepLimits,
      clock,
    }),
    feedback: config.github.auth?.kind,
    publicUrl: config.publicUrl,
    leaseMs: config.leaseMs,
    clock,
    logger,
  });
  const intake = createIntake({
    whyNoPlan: createWhyNoPlan({ home, canTell: config.github.auth !== undefined }),
    stepsApart: stepUser !== undefined,
    store,
    catalog,
    mirrors,
    resolve: createResolve({ mirrors, pushes: store.pushes, logger }),
    ordering,
    transitions,
    rollBack: createHookRollback(operate),
    pressed: createPressed({
      store,
      transitions,
      operateOn,
      gatesOn,
      specOf,
      mayDo,
      clock,
    }),
    commented: createCommented({
      store,
      catalog,
      operateOn,
      gatesOn,
      deployOn,
      why: createWhy({ store, catalog }),
      pullRequest: createReadPullRequest({ github, clock }),
      mayDo,
      clock,
    }),
    apiUrl: config.github.apiUrl,
    leaseMs: config.leaseMs,
    clock,
    logger,
    news,
    failpoint,
  });
  const pausing = createPausing({
    store,
    transitions,
    catalog,
    clock,
  });
  const chains = createChainLoop({ store, catalog, clock, logger });
  const teardowns = createTeardownLoop({
    store,
    catalog,
    clock,
    logger,
  });
  wakeLoops({
    store,
    news,
    catalog,
    intake,
    runner,
    feedback,
    planner,
    teardowns,
    chains,
    specs: home && specSource && { repository: home.repository, source: specSource },
  });

  const missed = lookForMissed({
    config,
    store,
    github,
    mirrors,
    catalog,
    holder,
    clock,
    logger,
  });
  const tidy = createTidy({
    store,
    plans,
    catalog,
    mirrors,
    checkouts,
    specRepository: home?.repository,
    clock,
    logger,
  });

  const expire = createExpire({
    retention: store.retention,
    limits: config.retention,
    clock,
    logger,
  });

  const schedules = createSchedules({
    store,
    catalog,
    clock,
    logger,
  });

  const addresses = createGitHubAddresses({ config, catalog, fetch, clock, logger });
  const { isGitHub } = addresses;
  const http = createHttpServer({
    store,
    catalog,
    intake,
    operate,
    gates,
    deploy,
    backtest,
    why: createWhy({ store, catalog }),
    stepLimits: config.stepLimits,
    budget: () => budget.usage(),
    pausing,
    webhookSecrets: config.webhookSecrets,
    ...(await openHooks({ config, store, catalog, secret, isGitHub, clock })),
    settings: settingsOf({ config, environment, version: deps.version, secret }),
    checkUp: createCheckUp({
      async *examine(signal) {
        // Loaded when it is asked for: it brings all that a command needs.
        const { examine } = await import('./commands/doctor-examine.ts');
        const about = { env: environment, version: deps.version, url, isExpected: true };
        yield* examine({ ...about, token: () => adminToken, signal });
      },
      clock,
    }),
    isFromGitHub: addresses.route,
    trustedProxies: config.trustedProxies,
    clientCertificates: config.clientCertificates,
    spoolDirectory: config.dataDir,
    adminToken,
    sessionKeys: config.sessionKeys,
    people: config.github.signIn && {
      signIn: createSignIn({
        app: config.github.signIn,
        ...config.github,
        userAgent: `mainsheet/${deps.version}`,
        fetch,
        onUnrevoked: (error) =>
          logger.warn({ error: describeError(error) }, 'token of a log-in not revoked'),
      }),
      permissions,
      isAmple: (repository) => budget.isAmple(ownerOf(repository)),
      members: people,
      admins: config.admins,
    },
    publicUrl: config.publicUrl,
    githubUrl: config.github.serverUrl,
    servers: config.servers,
    version: deps.version,
    clock,
    logger,
    news,
    ended: transitions.ended,
  });
  // Before the loops: when the address is taken, nothing is under way yet.
  const url = await listen(http.server, config.host, config.port);
  const secureUrl =
    http.secureServer &&
    (await listen(http.secureServer, config.host, config.clientCertificates?.listener?.port ?? 0));
  const tunnel =
    config.tunnel === undefined
      ? []
      : (await import('./app/tunnel.ts')).openTunnel({ config, url, clock, logger });
  const stopping = new AbortController();
  catalog.watch(stopping.signal);
  const scheduled = startCronJobs(
    [
      { name: 'schedules', cron: '* * * * *', atStart: true, act: schedules },
      { name: 'tidy', cron: '17 * * * *', act: tidy },
      { name: 'expire', cron: '47 * * * *', atStart: true, act: expire },
      addresses.job,
    ],
    logger,
    stopping.signal,
  );
  const loops = [
    intake,
    runner,
    feedback,
    planner,
    createGateLoop({ store, transitions, clock, logger }),
    chains,
    teardowns,
    ...(specSource === undefined ? [] : [specSource]),
    ...(missed === undefined ? [] : [missed]),
    ...tunnel,
  ].map((loop) => loop.run(stopping.signal));
  // Longer than the loops, because what they do last is for the others to hear too.
  const silenced = new AbortController();
  const relaying = relay?.run(silenced.signal);
  logger.info(
    {
      url,
      secureUrl,
      version: deps.version,
      specs: catalog.current().specs.length,
      dataDir: config.dataDir,
    },
    'listening',
  );
  if (config.github.auth === undefined) {
    logger.warn(
      { hint: 'set GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY, or GITHUB_TOKEN' },
      'no GitHub credentials: deployments are not reported back to GitHub',
    );
  }

  return {
    url,
    async stop() {
      const running = runner.active();
      const hint =
        'they may go on for so long; a second signal ends Mainsheet at once, and they go on after the next start';
      logger.info(
        { running, ...(running > 0 && { graceMs: config.shutdownGraceMs, hint }) },
        'stopping',
      );
      const answered = http.stop();
      stopping.abort();
      await Promise.all([...loops, scheduled(), answered]);
      silenced.abort();
      await relaying;
      await store.close();
      unlock();
      logger.info('stopped');
    },
  };
}
