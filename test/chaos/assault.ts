import { setTimeout as delay } from 'node:timers/promises';
import type { FailpointName } from '../../src/lib/failpoint.ts';
import type { Random } from '../support/random.ts';
import { processTree } from './processes.ts';
import type { ChaosWorld } from './world.ts';

/** How the controller dies next. */
export type Murder =
  /** It kills itself at the nth pass of a failpoint. */
  | { kind: 'failpoint'; name: FailpointName; pass: number }
  /** From outside, so many milliseconds after it was started or has begun to listen. */
  | {
      kind: 'instant';
      since: 'start' | 'listening';
      afterMs: number;
      /** With every process it has started, as when a container dies. */
      tree: boolean;
    };

/** A failpoint that is not passed in this time is given up, and the controller killed from outside. */
const PATIENCE_MS = 4000;

/** Starts the controller, lets it die as planned, and tells how it did. It is dead afterwards. */
export async function murder(world: ChaosWorld, plan: Murder): Promise<string> {
  const { controller } = world;
  const env =
    plan.kind === 'failpoint' ? { MAINSHEET_FAILPOINTS: `${plan.name}:${plan.pass}` } : {};
  const listening = controller.restart(env).then(
    () => {
      world.hook();
      void redeliver(world);
    },
    // It died before it listened, as it was meant to.
    () => undefined,
  );
  if (plan.kind === 'instant') {
    if (plan.since === 'listening') await listening;
    await delay(plan.afterMs);
    await killFromOutside(world, plan.tree);
    await listening;
    return plan.tree ? 'tree' : 'instant';
  }
  await listening;
  const over = new AbortController();
  const late = delay(PATIENCE_MS, true, { signal: over.signal }).catch(() => false);
  const isLate = await Promise.race([controller.exited().then(() => false), late]);
  over.abort();
  if (!isLate) return plan.name;
  await killFromOutside(world, false);
  return 'instant';
}

export function randomInstant(random: Random): Murder {
  const since = random.chance(0.2) ? 'start' : 'listening';
  return { kind: 'instant', since, afterMs: random.int(0, 1500), tree: random.chance(0.4) };
}

/** Sends again what got no 202, as GitHub's user would, and now and then something that did. */
export async function redeliver(world: ChaosWorld): Promise<void> {
  const { all, acknowledged } = world.deliveries();
  const missing = all.filter((id) => !acknowledged.has(id));
  for (const id of [...missing, ...all.slice(-1)]) await world.forge.redeliver(id);
}

async function killFromOutside({ controller }: ChaosWorld, tree: boolean): Promise<void> {
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
