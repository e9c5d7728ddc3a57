import type { Command } from 'commander';
import { toEvent } from '../sources/events.ts';
import { describeChain, followersOf } from '../model/chain.ts';
import { describeWaits } from '../model/step-gate.ts';
import { sameRepository, type Event, type Json } from '../model/event.ts';
import { PROTECTION } from '../model/protection.ts';
import type { LoadedSpec } from '../model/deployment-spec.ts';
import type { Verdict } from '../model/verdict.ts';
import { formatVerdict } from '../spec/explain.ts';
import { matchSpecs } from '../spec/match-specs.ts';
import { needsChangedPaths } from '../spec/match.ts';
import { newTableRoom, tabulateFor } from '../spec/path-table.ts';
import { saysOf } from '../spec/says.ts';
import { cleanJson, cleanLine } from '../lib/clean-text.ts';
import { deliveryArgument, type CommandContext } from './context.ts';
import { payloadOfPush, readPayload } from './payload-file.ts';
import type { Terminal } from './terminal.ts';
import { SAY_ALL, sayWhatItSays, type Shown } from './says.ts';
import { paintMark, sayPaths, type Paths } from './say-paths.ts';
import { validSpecs } from './validate.ts';

interface Options {
  event?: string;
  payload?: string;
  from?: string;
  deployments?: string;
  json?: true;
  exitCode?: true;
  all?: true;
}

/** What was or would be decided, whether the server says so or this machine. */
interface Explanation {
  event: string;
  summary: string;
  specs: (Verdict & {
    spec: string;
    run: string | null;
    /** How the run is now, and why. */
    runState?: string | null | undefined;
    runReason?: string | null | undefined;
    /** What a run of it would wait for before it starts, each in a line. */
    gates?: string[];
    /** The specs that it would start when it has ended. */
    starts?: string[];
    /** What the spec says beside what starts it. */
    says?: Shown[] | undefined;
    /** Each changed file beside its pattern, where any was looked at. */
    paths?: Paths | null | undefined;
  })[];
  /** What this answer does not take into account. */
  notes?: string[];
}

/** `mainsheet explain`: for a delivery what the server decided, for a payload what these specs would decide. */
export function explainCommand(program: Command, context: CommandContext): void {
  const { terminal } = context;
  const command = program
    .command('explain')
    .description('say why a delivery did or did not deploy, spec by spec')
    .argument(
      '[delivery]',
      'id of a delivery, as "mainsheet deliveries" shows it',
      deliveryArgument,
    )
    .option('--event <name>', 'without a server: the event, such as push')
    .option('--payload <file>', 'its payload; - reads standard input')
    .option('--from <commit>', 'without a server: what a push of it would do, such as HEAD')
    .option('--deployments <path>', 'the specs to match (default: $MAINSHEET_DEPLOYMENTS)')
    .option('--exit-code', 'exit with 1 when no spec matched, so that nothing is deployed')
    .option(...SAY_ALL)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ mainsheet explain 72d3162e-cc78-11e3-81ab-4c9367dc0958
  $ mainsheet explain --from HEAD
  $ mainsheet explain --event push --payload push.json --deployments ./deployments --exit-code`,
    );
  command.action(
    context.action(async (delivery: string | undefined, options: Options) => {
      const { event, payload, from } = options;
      const isOfFile = event !== undefined && payload !== undefined;
      let explanation: Explanation | undefined;
      if (delivery !== undefined && event === undefined && payload === undefined && !from) {
        explanation = await (await context.api()).explain(delivery);
      } else if (delivery === undefined && isOfFile && from === undefined) {
        const read = await readPayload(payload, context.stdin);
        explanation = await explainHere(context, event, read.payload, options);
      } else if (delivery === undefined && from !== undefined && payload === undefined) {
        const push = await payloadOfPush(context, from);
        explanation = await explainHere(context, 'push', push.payload, options);
      } else {
        command.error('error: give a delivery, or both --event and --payload, or --from');
      }
      if (explanation === undefined) return 1;
      if (options.json) terminal.line(cleanJson(explanation));
      else say(terminal, explanation, options.all);
      return options.exitCode && !explanation.specs.some(({ matched }) => matched) ? 1 : 0;
    }),
  );
}

/** Undefined when the specs are not valid, which has then been said. */
async function explainHere(
  context: CommandContext,
  name: string,
  payload: Json,
  { deployments, json }: Options,
): Promise<Explanation | undefined> {
  const loaded = await validSpecs(context, deployments, json);
  return loaded && (await judge(name, payload, loaded.specs));
}

async function judge(
  name: string,
  payload: Json,
  specs: readonly LoadedSpec[],
): Promise<Explanation> {
  const event = toEvent(name, payload);
  const { repository } = event;
  const candidates =
    repository === undefined
      ? []
      : specs.map(({ spec }) => spec).filter((spec) => sameRepository(spec.repository, repository));
  const judged = await matchSpecs(candidates, event, payload);
  const room = newTableRoom();
  const paths: (Paths | undefined)[] = [];
  for (const spec of candidates) paths.push(await tabulateFor(spec, event, room));
  const verdicts = judged.map(({ matched, reasons }, index) => ({
    spec: candidates[index]?.name ?? '',
    matched,
    run: null,
    reasons,
    gates: candidates[index] === undefined ? [] : describeWaits(candidates[index]),
    starts: followersOf(candidates[index]?.name ?? '', specs).map(
      ({ spec, trigger }) => `${spec} (${describeChain(trigger)})`,
    ),
    says: candidates.slice(index, index + 1).flatMap(saysOf),
    paths: paths[index],
  }));
  const matched = verdicts.filter((verdict) => verdict.matched).map((verdict) => verdict.spec);
  return {
    event: name,
    summary: summarize(event, specs, verdicts.length, matched),
    specs: verdicts,
    notes: needsChangedPaths(candidates, event) ? [unknownPaths(event)] : [],
  };
}

function summarize(
  event: Event,
  specs: readonly LoadedSpec[],
  candidates: number,
  matched: readonly string[],
): string {
  if (event.kind === PROTECTION && matched.length > 0) {
    return `Would answer the job of Actions by the gates of ${matched.join(', ')}`;
  }
  if (matched.length > 0) return `Would deploy ${matched.join(', ')}`;
  if (event.kind === 'ping') return 'Would not deploy: a ping only says hello';
  if (event.kind === 'other') return `Would not deploy: ${event.reason}`;
  if (candidates > 0) return 'Would not deploy';
  const named = [...new Set(specs.map(({ spec }) => spec.repository))].join(', ');
  return `Would not deploy: no deployment spec names ${event.repository}${named === '' ? '' : `; they name ${named}`}`;
}

/** GitHub lists the files of a push's own commits only, and not all of them: the controller asks git, this command cannot. */
function unknownPaths(event: Event): string {
  const reason =
    event.kind === 'push' && !event.changedPaths.complete ? ` (${event.changedPaths.reason})` : '';
  return `this payload does not list all changed files${reason}: the controller asks git for them, so its answer to "paths" may be another`;
}

function say(terminal: Terminal, explanation: Explanation, all = false): void {
  terminal.line(terminal.paint('bold', cleanLine(explanation.summary)));
  for (const {
    spec,
    matched,
    run,
    reasons,
    runState,
    runReason,
    says,
    starts,
    paths,
  } of explanation.specs) {
    const cleaned = reasons.map((reason) => ({
      condition: cleanLine(reason.condition),
      held: reason.held,
      detail: cleanLine(reason.detail),
    }));
    terminal.line();
    for (const line of formatVerdict(cleanLine(spec), { matched, reasons: cleaned }).split('\n')) {
      terminal.line(paintMark(terminal, line));
    }
    sayPaths(terminal, paths ?? undefined);
    if (matched) sayWhatItSays(terminal, says, all);
    for (const other of matched ? (starts ?? []) : []) {
      terminal.line(`  → starts: ${cleanLine(other)}`);
    }
    if (run !== null) terminal.line(`  → run ${cleanLine(run)}`);
    if (typeof runState === 'string')
      terminal.line(`    ${cleanLine(`${runState}: ${runReason ?? ''}`)}`);
  }
  for (const note of explanation.notes ?? []) {
    terminal.note(`${terminal.paintNote('yellow', 'note:')} ${cleanLine(note)}`);
  }
}
