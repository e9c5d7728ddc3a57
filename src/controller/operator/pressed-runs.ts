import { BUTTONS, hasGate, pressesFor } from '../../callbacks/check-buttons.ts';
import { checkTarget } from '../../callbacks/check.ts';
import { slackTarget } from '../../callbacks/slack-app.ts';
import { numberOf } from '../../callbacks/slack-messages.ts';
import { MainsheetError } from '../../lib/errors.ts';
import {
  isFrom,
  type CheckEvent,
  type MessagePressEvent,
  type Renamed,
} from '../../model/event.ts';
import { protectionLane } from '../../model/protection.ts';
import { hasEnded, type Run } from '../../model/run.ts';
import type { SpecReader } from '../../runs/snapshot.ts';
import type { Store } from '../../store/index.ts';
import { isNotify } from '../../spec/notify/index.ts';

/** A button that was pressed. */
export type PressEvent = (CheckEvent | MessagePressEvent) & Renamed;

/** Who pressed, as far as is known. */
interface Presser {
  /** As people read it, and as the audit table has it. */
  name: string;
  actor: string;
  /** At GitHub; undefined with the reason in `unknown`. */
  login: string | undefined;
  unknown: string;
}

export function presserOf(event: PressEvent): Presser {
  if (event.kind === 'check') return known(event.by, `@${event.by}`);
  const { user, by } = event;
  const name = `Slack's ${user}`;
  if ('login' in by) return known(by.login, `@${by.login} (${name})`);
  return { name, actor: `slack:${user}`, login: undefined, unknown: by.unknown };
}

/** The audit table names people so who are known by GitHub alone. */
function known(login: string, name: string): Presser {
  return { name, actor: `github:${login.toLowerCase()}`, login, unknown: '' };
}

/** Runs of one commit that are looked at when all of its check runs are to run again. */
const MOST_RUNS = 200;

/** What was pressed. */
interface Found {
  runs: Run[];
  /** The run that was named although the check run is not its own. */
  claimed: Run | undefined;
  why: string;
}

/** The runs that were meant; none, with the reason, where what was pressed is none of Mainsheet's for that very run. */
export async function pressedRuns(
  deps: { store: Pick<Store, 'runs' | 'outbox' | 'snapshots'>; specOf: SpecReader },
  event: PressEvent,
): Promise<Found> {
  return event.kind === 'check' ? await runsOf(deps.store, event) : await runOfMessage(deps, event);
}

/** The run of the check run that was pressed; of a whole suite each spec's newest run of the commit, when it has ended. */
async function runsOf(
  { runs, outbox }: Pick<Store, 'runs' | 'outbox'>,
  event: CheckEvent & Renamed,
): Promise<Found> {
  const { checkRun, commit, repository, review } = event;
  const checkRunOf = ({ id }: Run) => outbox.number(checkTarget(id));
  if (review !== undefined) return await reviewed({ runs }, event, review);
  if (checkRun === undefined) {
    const { items } = await runs.list({ limit: MOST_RUNS, before: undefined }, { sha: commit });
    const newest = new Map<string, Run>();
    for (const run of items) {
      if (isFrom(event, run.repository) && !newest.has(run.spec)) newest.set(run.spec, run);
    }
    const shown: Run[] = [];
    for (const run of newest.values()) {
      if (hasEnded(run.state) && (await checkRunOf(run)) !== undefined) shown.push(run);
    }
    const why = `no run of ${commit.slice(0, 7)} that has ended has a check run`;
    return { runs: shown, claimed: undefined, why };
  }
  const run = await runs.get(checkRun.run);
  if (run === undefined)
    return { runs: [], claimed: undefined, why: 'it is the check run of no run' };
  const isOwn =
    isFrom(event, run.repository) && run.sha === commit && (await checkRunOf(run)) === checkRun.id;
  const why = `check run ${checkRun.id} of ${repository} is not that of run ${run.id}`;
  return isOwn ? { runs: [run], claimed: undefined, why } : { runs: [], claimed: run, why };
}

/** What stands for the jobs of Actions that a person has answered on GitHub. */
async function reviewed(
  { runs }: Pick<Store, 'runs'>,
  event: CheckEvent & Renamed,
  { workflowRun, environments }: NonNullable<CheckEvent['review']>,
): Promise<Found> {
  const waiting: Run[] = [];
  for (const environment of environments) {
    const lane = protectionLane(workflowRun, environment);
    const active = await runs.active(lane);
    waiting.push(...active.filter((run) => isFrom(event, run.repository)));
  }
  const why = `no gate is waited at by workflow run ${workflowRun} for ${environments.join(', ')}`;
  return { runs: waiting, claimed: undefined, why };
}

/** The run of the message that was pressed, if it has the button as it is now. The message has to be the one that Mainsheet posted. */
async function runOfMessage(
  { store, specOf }: Parameters<typeof pressedRuns>[0],
  { press, hook, of, channel, message }: MessagePressEvent,
): Promise<Found> {
  const run = await store.runs.get(of.run);
  if (run === undefined)
    return { runs: [], claimed: undefined, why: 'it is the message of no run' };
  const spec = await specOf(store, run.specDigest).catch((error: unknown) => {
    if (error instanceof MainsheetError && error.code === 'spec-unreadable') return undefined;
    throw error;
  });
  const entry = spec?.notify[of.notify];
  const isOwn =
    isNotify(entry, 'slack-app') &&
    entry.buttons === hook &&
    entry.channel === channel &&
    (await store.outbox.number(slackTarget({ run, notify: of.notify }))) === numberOf(message);
  if (spec === undefined || !isOwn) {
    const why = `message ${message} in ${channel} is not that of run ${run.id}`;
    return { runs: [], claimed: run, why };
  }
  const why = `run ${run.id} is ${run.state}: it has no button "${BUTTONS[press].label}" any more`;
  return pressesFor(run, hasGate(run, spec)).includes(press)
    ? { runs: [run], claimed: undefined, why }
    : { runs: [], claimed: run, why };
}
