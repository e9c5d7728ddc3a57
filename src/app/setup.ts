import { randomBytes } from 'node:crypto';
import { PERMISSIONS } from '../callbacks/index.ts';
import type { Config } from '../config.ts';
import { storedAppFile, writtenApp } from '../config/stored-app.ts';
import { convertManifest, manifestOf } from '../github/manifest.ts';
import { createSetupServer } from '../http/setup/setup.ts';
import { systemClock } from '../lib/clock.ts';
import { MainsheetError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { createFetch } from '../lib/way-out.ts';
import { CONTENTS, ACTIONS } from '../github/check.ts';
import { makeDataDirectory } from './data-directory.ts';
import { listen } from './listen.ts';
import { writePrivate } from './private-file.ts';

const REQUEST_MS = 30_000;

/**
 * Serves `/setup` until a GitHub App is made and kept, or until `signal` aborts. `print` shows the link that opens it once.
 * Throws MainsheetError `data-directory` and `cannot-listen`.
 */
export async function runSetup(deps: {
  config: Config;
  version: string;
  logger: Logger;
  print: (line: string) => void;
  signal: AbortSignal;
}): Promise<void> {
  const { config, logger, signal } = deps;
  await makeDataDirectory(config, logger);
  const token = randomBytes(24).toString('base64url');
  const { server, made } = createSetupServer({
    token,
    publicUrl: config.publicUrl,
    serverUrl: config.github.serverUrl,
    version: deps.version,
    logger,
    manifest: ({ hubs, workflows, ...app }) =>
      manifestOf({
        ...app,
        permissions: [
          ...PERMISSIONS,
          { ...ACTIONS, least: workflows ? 'write' : 'read' },
          { ...CONTENTS, least: hubs ? 'write' : 'read' },
        ],
      }),
    convert: (code) =>
      convertManifest(
        {
          apiUrl: config.github.apiUrl,
          logger,
          clock: systemClock,
          userAgent: `mainsheet/${deps.version}`,
          requestTimeoutMs: REQUEST_MS,
          fetch: createFetch(config.wayOut),
        },
        code,
      ),
    keep: (app) => keep(storedAppFile(config.dataDir), writtenApp(app, config.sessionKeys)),
  });
  const url = await listen(server, config.host, config.port);
  logger.info({ url }, 'there is no GitHub App yet: the link on standard error sets one up');
  deps.print(`Set up the GitHub App: ${config.publicUrl ?? url}/setup?token=${token}`);
  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([made, stopped]);
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}

async function keep(file: string, text: string): Promise<void> {
  try {
    await writePrivate(file, text);
  } catch (cause) {
    throw new MainsheetError('stored-app', `the App cannot be kept in ${file}`, {
      cause,
      hint: 'delete it on GitHub, see to the data directory, and set it up again',
    });
  }
}
