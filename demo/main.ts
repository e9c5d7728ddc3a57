import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { styleText } from 'node:util';
import { startController, type DemoController } from './controller.ts';
import { createForge, type Forge } from './forge.ts';
import { observeController, observeForge } from './observe.ts';
import { createSample } from './sample.ts';
import { createTimelines, type Stage } from './timeline.ts';

const SITE = 'acme/storefront';
const HUB = 'acme/hub';
/** Everything that has to be seen for the demo to have shown what it promises. */
const PROMISED = [
  '202',
  'matched',
  'checkout',
  'step',
  'status success',
  'deployment success',
  'dispatch',
];
const TIMEOUT_MS = 60_000;
/** In what `--json` prints. */
const MOST_PROBLEMS = 50;

export interface DemoOptions {
  /** Ends after the run instead of staying up. */
  once: boolean;
  /** Prints the timeline as JSON and nothing else. */
  json: boolean;
  /** A directory of specs. Default: the demo's own. */
  specs?: string;
  stdout: NodeJS.WritableStream & { isTTY?: boolean };
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
}

/**
 * Shows the main job on real parts: a commit is pushed over HTTP, and what follows is printed as it is seen on the wire.
 * Resolves with the exit code: 0, or 1 when a stage failed or was not reached.
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  const say = (line: string) => {
    if (!options.json) options.stdout.write(`${line}\n`);
  };
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-demo-'));
  const cleanups: (() => Promise<unknown>)[] = [
    () => rm(directory, { recursive: true, force: true }),
  ];
  const observing = new AbortController();
  try {
    const forge = await createForge({ repositories: [SITE, HUB] });
    cleanups.push(() => forge.close());
    const secret = randomBytes(20).toString('hex');
    const broken = Promise.withResolvers<void>();
    const problems: string[] = [];
    const controller = await startController({
      forge,
      directory,
      secret,
      specs: options.specs,
      onError([what = '', ...about]) {
        say(`✗ Mainsheet: ${[what, ...about.map((line) => `  ${line}`)].join('\n')}`);
        if (problems.length < MOST_PROBLEMS) problems.push(...(about.length > 0 ? about : [what]));
        broken.resolve();
      },
    });
    cleanups.push(() => controller.stop());
    forge.hook({ url: `${controller.url}/webhooks/v1/github`, secret });
    const sample = await createSample(forge, SITE);
    cleanups.push(() => sample.close());

    say(`GitHub stand-in  ${forge.url}`);
    say(`Mainsheet        ${controller.url}`);
    say('');
    const sha = await sample.commit({
      files: { 'index.html': '<h1>Storefront</h1>\n', VERSION: '1.0.0\n' },
      message: 'Open the storefront',
    });
    say(`$ git push ${forge.url}/${SITE}.git main    # ${sha.slice(0, 7)}`);

    let shown = sha;
    const timelines = createTimelines((of, stage) => {
      if (of !== shown) say(`\n# push of ${of.slice(0, 7)}`);
      shown = of;
      say(format(stage, options.stdout));
      // Without it there is no controller to ask.
      if (stage.stage === 'failed' && !options.once) {
        const run = /^run (\w+)/.exec(stage.detail)?.[1];
        say(
          `${' '.repeat(14)}read its log, with MAINSHEET_URL as below: ${process.argv[1]} logs ${run}`,
        );
      }
    });
    const timeline = timelines.begin(sha, Date.now());
    // Whatever they would have seen and did not is missing from the timeline, which decides.
    void observeController(controller, forge, timelines, observing.signal).catch(() => undefined);
    void observeForge(forge, timelines, observing.signal);
    await sample.push('main');
    timeline.note('pushed', 'git push finished', Date.now());

    const enough = new AbortController();
    const patience = AbortSignal.any([options.signal, enough.signal]);
    await Promise.race([
      Promise.all(PROMISED.map((stage) => timeline.reached(stage))),
      timeline.reached('failed'),
      broken.promise,
      delay(TIMEOUT_MS, undefined, { signal: patience }).catch(() => undefined),
    ]);
    enough.abort();
    const missing = PROMISED.filter((name) => !timeline.stages.some(({ stage }) => stage === name));
    const seen = await readBack(forge, sha);

    if (options.json) {
      options.stdout.write(
        `${JSON.stringify({ sha, stages: timeline.stages, missing, problems, github: seen }, undefined, 2)}\n`,
      );
    } else {
      showGitHub(seen, say);
      if (missing.length > 0) say(`\nNot reached: ${missing.join(', ')}`);
    }
    if (!options.once && !options.json && !options.signal.aborted) {
      showInvitation(forge, controller, await loginLink(controller), say);
      await new Promise((resolve) =>
        options.signal.addEventListener('abort', resolve, { once: true }),
      );
      say('\nStopping …');
    }
    return missing.length === 0 ? 0 : 1;
  } finally {
    observing.abort();
    for (const cleanup of cleanups.toReversed()) await cleanup();
  }
}

interface ReadBack {
  statuses: { context: string; state: string; description: string }[];
  deployments: { environment: string; states: string[] }[];
  dispatches: { event: string; payload: unknown }[];
}

/** What GitHub shows now, read through its API. */
async function readBack(forge: Forge, sha: string): Promise<ReadBack> {
  const [statuses, deployments, dispatches] = await Promise.all([
    forge.statuses(SITE, sha),
    forge.deployments(SITE),
    forge.dispatches(HUB),
  ]);
  return {
    statuses: statuses.map(({ context, state, description }) => ({
      context: text(context),
      state: text(state),
      description: text(description),
    })),
    deployments: deployments.map(({ environment, statuses: states }) => ({
      environment: text(environment),
      states: states.map(({ state }) => text(state)),
    })),
    dispatches: dispatches.map(({ event_type: event, client_payload: payload }) => ({
      event: text(event),
      payload,
    })),
  };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function showGitHub(seen: ReadBack, say: (line: string) => void): void {
  say('\nWhat GitHub now shows:');
  const [latest] = seen.statuses;
  if (latest) say(`  commit status   ${latest.context}: ${latest.state} (${latest.description})`);
  for (const { environment, states } of seen.deployments) {
    say(`  deployment      ${environment}: ${states.toReversed().join(' → ')}`);
  }
  for (const { event, payload } of seen.dispatches) {
    say(`  ${HUB}        ${event} ${JSON.stringify(payload)}`);
  }
}

/** Asks the controller for a link that opens its dashboard. */
async function loginLink({ url, tokenFile }: DemoController): Promise<string> {
  const token = (await readFile(tokenFile, 'utf8')).trim();
  const headers = { Authorization: `Bearer ${token}` };
  const answer = await fetch(`${url}/api/v1/login-links`, { method: 'POST', headers });
  return `${url}/${((await answer.json()) as { path: string }).path}`;
}

function showInvitation(
  forge: Forge,
  { url, tokenFile, logFile }: DemoController,
  link: string,
  say: (line: string) => void,
): void {
  const clone = new URL(`${forge.url}/${SITE}.git`);
  clone.username = 'x-access-token';
  clone.password = forge.token;
  say(`
The dashboard, with a link that logs in once:
  ${link}

It stays up. Push again, and what becomes of it is shown there and here:
  git clone ${clone.href} && cd storefront && git commit --allow-empty -m again && git push
  export MAINSHEET_URL=${url} MAINSHEET_DATA_DIR=${dirname(tokenFile)}
  ${process.argv[1]} runs
  curl -H "Authorization: Bearer $(cat ${tokenFile})" ${url}/api/v1/deliveries
  curl -NH "Authorization: Bearer $(cat ${tokenFile})" ${url}/api/v1/events
Mainsheet's own log is in ${logFile}.
Ctrl-C ends it and leaves nothing behind.`);
}

function format({ stage, detail, ms }: Stage, stream: DemoOptions['stdout']): string {
  const time = `${(ms / 1000).toFixed(3).padStart(8)} s`;
  const bad = /fail|error/.test(`${stage} ${detail}`);
  const mark = bad ? '✗' : '✓';
  if (stream.isTTY !== true) return `${time}  ${mark} ${stage.padEnd(22)} ${detail}`;
  const color = bad ? 'red' : 'green';
  return `${styleText('dim', time)}  ${styleText(color, mark)} ${stage.padEnd(22)} ${detail}`;
}
