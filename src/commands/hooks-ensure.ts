import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { readConfig, type Config } from '../config.ts';
import { tunnelFile } from '../config/tunnel-file.ts';
import { ensureHook } from '../github/ensure-hook.ts';
import { asGitHubFailure } from '../github/failure.ts';
import { createOctokit } from '../github/octokit.ts';
import { systemClock } from '../lib/clock.ts';
import { describeError, hintOf } from '../lib/errors.ts';
import { silentLogger } from '../lib/logger.ts';
import { createFetch } from '../lib/way-out.ts';
import type { LoadedSpec } from '../model/deployment-spec.ts';
import { cleanLine } from '../lib/clean-text.ts';
import type { CommandContext } from './context.ts';
import { defaultSpecsPath } from './local-specs.ts';
import { isHttpUrl } from './settings.ts';
import { UsageError } from './usage-error.ts';
import { eventsOf } from './spec-events.ts';
import { validSpecs } from './validate.ts';

/** For so long the channel of a server that starts is waited for, in milliseconds; it is looked for so often. */
const CHANNEL_WAIT_MS = 10_000;
const LOOK_AGAIN_MS = 200;

const REQUEST_TIMEOUT_MS = 15_000;

/** GitHub says 404 to those who may not see the webhooks of a repository that they may see. */
const REFUSALS = new Set(['github-forbidden', 'github-not-found']);
const WEBHOOK_RIGHT =
  'check the name of the repository; GITHUB_TOKEN needs "Webhooks: read and write" there (a classic one: admin:repo_hook)';

/** `mainsheet hooks ensure`: exit code 3 when a repository's webhook could not be looked at, made or repaired. */
export function hooksEnsureCommand(hooks: Command, context: CommandContext): void {
  const { terminal, env } = context;
  hooks
    .command('ensure')
    .description("make and repair GitHub's webhooks of the specs' repositories, with a token")
    .option('--url <url>', 'where GitHub is to deliver')
    .option('--deployments <path>', 'the specs (default: $MAINSHEET_DEPLOYMENTS)')
    .addHelpText(
      'after',
      `
A GitHub App has its webhook already. Needs GITHUB_TOKEN, with the right to write webhooks, and
GITHUB_WEBHOOK_SECRET. Where GitHub delivers is --url, or the webhook at MAINSHEET_PUBLIC_URL, or the channel of
"mainsheet serve --tunnel". Webhooks with another URL are not touched.

Example:
  $ mainsheet hooks ensure`,
    )
    .action(
      context.action(async (options: { url?: string; deployments?: string }) => {
        const config = readSettings(env);
        const { auth, apiUrl } = config.github;
        const [secret] = config.webhookSecrets;
        if (auth?.kind !== 'token' || secret === undefined) {
          throw new UsageError('no-token', 'GITHUB_TOKEN or GITHUB_WEBHOOK_SECRET is not set', {
            hint: 'set both; a GitHub App needs no webhook in a repository',
          });
        }
        const url = await whereTo(options.url, config, context);
        const path = options.deployments ?? defaultSpecsPath(env);
        const { specs } = (await validSpecs(context, path)) ?? {};
        if (specs === undefined) return 1;
        const octokit = createOctokit(
          {
            apiUrl,
            clock: systemClock,
            logger: silentLogger,
            userAgent: `mainsheet/${context.version}`,
            requestTimeoutMs: REQUEST_TIMEOUT_MS,
            fetch: createFetch(config.wayOut),
          },
          { auth: auth.token },
        );
        let failed = false;
        for (const [repository, events] of eventsByRepository(specs)) {
          try {
            const done = await ensureHook(octokit, { repository, url, secret, events });
            const mark = terminal.paint('green', '✓');
            terminal.line(`${mark} ${repository}: ${done} (${events.join(', ')})`);
          } catch (error) {
            failed = true;
            const doing = `ensure the webhook of ${repository}`;
            const failure = asGitHubFailure(error, { doing, now: systemClock.now() });
            terminal.note(`${terminal.paintNote('red', '✗')} ${cleanLine(describeError(failure))}`);
            const hint = REFUSALS.has(failure.code) ? WEBHOOK_RIGHT : hintOf(failure);
            if (hint !== undefined) terminal.note(`  hint: ${cleanLine(hint)}`);
          }
        }
        if (specs.length === 0) terminal.note(`there is no deployment spec in ${cleanLine(path)}`);
        return failed ? 3 : 0;
      }),
    );
}

function readSettings(env: Record<string, string | undefined>): Config {
  const read = readConfig(env, { isTerminal: false, requireWebhookSecret: false });
  if ('config' in read) return read.config;
  throw new UsageError('configuration', read.problems.join('; '));
}

/** A server that is just starting may not have its channel yet. Throws UsageError `invalid-url` or `no-url`. */
async function whereTo(
  asked: string | undefined,
  { publicUrl, dataDir }: Config,
  { signal, terminal }: Pick<CommandContext, 'signal' | 'terminal'>,
): Promise<string> {
  if (asked !== undefined && !isHttpUrl(asked)) {
    throw new UsageError('invalid-url', '--url is not an http or https URL');
  }
  if (asked !== undefined) return asked;
  if (publicUrl !== undefined) return `${publicUrl}/webhooks/v1/github`;
  const until = systemClock.elapsed() + CHANNEL_WAIT_MS;
  for (let isSaid = false; ; isSaid = true) {
    const url = channel(dataDir);
    if (url !== undefined) return url;
    if (systemClock.elapsed() >= until || signal.aborted) break;
    if (!isSaid) terminal.note('waiting for the channel of "mainsheet serve --tunnel"');
    await systemClock.sleep(LOOK_AGAIN_MS, signal);
  }
  throw new UsageError('no-url', 'it is not known where GitHub is to deliver', {
    hint: 'give --url, set MAINSHEET_PUBLIC_URL, or start "mainsheet serve --tunnel" first',
  });
}

/** Of the tunnel of a server on this machine, once it has made one. */
function channel(dataDir: string): string | undefined {
  try {
    const text = readFileSync(tunnelFile(dataDir), 'utf8').trim();
    return isHttpUrl(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

/** By repository of GitHub what its specs need. */
function eventsByRepository(specs: readonly LoadedSpec[]): Map<string, string[]> {
  const found = new Map<string, Set<string>>();
  for (const { spec } of specs) {
    const events = found.get(spec.repository) ?? new Set();
    for (const event of eventsOf(spec)) found.set(spec.repository, events.add(event));
  }
  return new Map([...found].map(([repository, events]) => [repository, [...events]]));
}
