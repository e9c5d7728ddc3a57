import { setTimeout as delay } from 'node:timers/promises';
import type { FailpointName } from '../../src/lib/failpoint.ts';
import { cutPower, POWERED } from '../support/cut-power.ts';
import type { Controller } from '../support/controller.ts';
import type { Random } from '../support/random.ts';
import { processTree } from './processes.ts';
import { readBook } from './book.ts';
import type { ChaosWorld } from './world.ts';

/** How the controller dies next. */
export type Murder = { burst?: Burst } & Death;

/** Pushes of one branch that come all at once when the controller listens, so that it takes them in together. */
export interface Burst {
  repository: string;
  pushes: number;
}

type Death =
  /** It kills itself at the nth pass of a failpoint; from outside when it does not get there in time. */
  | { kind: 'failpoint'; name: FailpointName; pass: number; withinMs: number }
  /** From outside, so many milliseconds after it was started or has begun to listen. */
  | {
      kind: 'instant';
      since: 'start' | 'listening';
      afterMs: number;
      /** With every process it has started, as when a container dies. */
      tree: boolean;
    }
  /** The power is cut when the world sees something, with all that the database had not brought to the disk. SQLite only. */
  | { kind: 'power'; at: Sight; withinMs: number };

/** When it listens: how many times as long as usual that took. */
interface Start {
  pace: number;
  error?: Error;
}

/** A 202, a request to the forge, a line of a step. */
export type Sight = 'answer' | 'callback' | 'step';

/** A start takes this long where nothing else is to be done. */
const USUAL_START_MS = 700;

/**
 * Starts the controller, lets it die as planned, and tells how it did. It is dead afterwards. Where a start takes longer than usual, it
 * lives longer in the same measure: on a busy machine each life comes as far, and no run is interrupted too often.
 */
export async function murder(world: ChaosWorld, plan: Murder): Promise<string> {
  const controller = world.victim();
  if (plan.burst !== undefined) await world.burst(plan.burst);
  const env =
    plan.kind === 'failpoint'
      ? { MAINSHEET_FAILPOINTS: `${plan.name}:${plan.pass}` }
      : plan.kind === 'power'
        ? POWERED
        : {};
  const from = Date.now();
  const started: Promise<Start> = controller.restart(env).then(
    () => {
      void redeliver(world);
      return { pace: Math.max(1, (Date.now() - from) / USUAL_START_MS) };
    },
    // It died before it listened, as it was meant to, or it gave up by itself, as it never should.
    (error: Error) => ({
      pace: 1,
      ...(error.message.startsWith('exited with null') ? {} : { error }),
    }),
  );
  const death = await (plan.kind === 'instant'
    ? dieAt(controller, plan, started)
    : plan.kind === 'power'
      ? loseThePower(world, plan, started)
      : dieOf(controller, plan, started));
  const { error } = await started;
  if (error !== undefined) throw error;
  return death;
}

async function dieAt(
  controller: Controller,
  { since, afterMs, tree }: Extract<Murder, { kind: 'instant' }>,
  started: Promise<Start>,
): Promise<string> {
  await delay(since === 'start' ? afterMs : afterMs * (await started).pace);
  await killFromOutside(controller, tree);
  return tree ? 'tree' : 'instant';
}

async function dieOf(
  controller: Controller,
  { name, withinMs }: Extract<Murder, { kind: 'failpoint' }>,
  started: Promise<Start>,
): Promise<string> {
  const { pace } = await started;
  const over = new AbortController();
  const late = delay(withinMs * pace, true, { signal: over.signal }).catch(() => false);
  const isLate = await Promise.race([controller.exited().then(() => false), late]);
  over.abort();
  if (!isLate) return name;
  await killFromOutside(controller, false);
  return 'instant';
}

async function loseThePower(
  world: ChaosWorld,
  { at, withinMs }: Extract<Murder, { kind: 'power' }>,
  started: Promise<Start>,
): Promise<string> {
  const before = await seen(world, at);
  const { pace } = await started;
  const late = Date.now() + withinMs * pace;
  while ((await seen(world, at)) === before && Date.now() < late) await delay(2);
  const controller = world.victim();
  await killFromOutside(controller, true);
  cutPower(controller.dataDir);
  return `power at ${at}`;
}

/** How much there is to see. */
async function seen({ forge, book, deliveries }: ChaosWorld, sight: Sight): Promise<number> {
  if (sight === 'answer') return deliveries().acknowledged.size;
  if (sight === 'step') return (await readBook(book)).length;
  return forge.journal.filter(({ method }) => method === 'POST').length;
}

export function randomInstant(random: Random): Murder {
  const since = random.chance(0.2) ? 'start' : 'listening';
  return { kind: 'instant', since, afterMs: random.int(0, 1500), tree: random.chance(0.4) };
}

/** Sends again, all at once, what got no 202, as GitHub's user would, and now and then something that did. */
export async function redeliver(world: ChaosWorld): Promise<void> {
  const { all, acknowledged } = world.deliveries();
  const missing = all.filter((id) => !acknowledged.has(id));
  await Promise.all([...missing, ...all.slice(-1)].map((id) => world.forge.redeliver(id)));
}

async function killFromOutside(controller: Controller, tree: boolean): Promise<void> {
  const [root, ...descendants] = processTree(controller.pid);
  if (tree && root !== undefined) {
    // Stopped first, so that it sees none of its children die.
    signal(root, 'SIGSTOP');
    for (const pid of [root, ...descendants]) signal(pid, 'SIGKILL');
  }
  await controller.kill();
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself.
  }
}
