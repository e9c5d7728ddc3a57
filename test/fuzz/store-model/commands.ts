import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { sampleDelivery } from '../../store/samples.ts';
import { claimCallbacks, claimDelivery, claimRun, raceForRuns } from './claims.ts';
import { checkInvariants } from './invariants.ts';
import type { Hold, Model } from './model.ts';
import { cancel, resend, retry, rollback } from './operator.ts';
import {
  workOnCallback,
  workOnDelivery,
  workOnRun,
  type CallbackWork,
  type DeliveryWork,
  type RunWork,
} from './work.ts';
import { REPOSITORIES, type World } from './world.ts';

export type Command = fc.AsyncCommand<Model, World>;

/** A command: its name with its arguments, whether there is anything for it to be done to, and what it does. */
function command(
  name: string,
  when: (model: Model) => boolean,
  act: (model: Model, world: World) => Promise<unknown>,
): Command {
  return {
    toString: () => name,
    check: (model) => when(model),
    async run(model, world) {
      await act(model, world);
      await checkInvariants(model, world.store);
    },
  };
}

const always = () => true;
const workers = fc.nat(2);
/** Which of several: the newest, the one before, or any, taken modulo their number. */
const which = fc.oneof(fc.constantFrom(-1, -2), fc.nat(1000));

/** Everything that can happen, in the mix in which it leads furthest. */
export function commands(): fc.Arbitrary<Command>[] {
  return [
    fc.record({ id: fc.nat(12), repository: fc.nat(3), sha: fc.nat(2) }).map(accept),
    workers.map((n) =>
      command(`claimDelivery(w${n})`, always, (model, world) =>
        claimDelivery(model, world, model.workers[n] ?? ''),
      ),
    ),
    works('delivery', ['plan', 'plan', 'dies', 'fail', 'postpone', 'renew']),
    works('delivery', ['plan']),
    workers.map((n) =>
      command(`claimRun(w${n})`, always, (model, world) =>
        claimRun(model, world, model.workers[n] ?? ''),
      ),
    ),
    fc.constant(command('raceForRuns', always, raceForRuns)),
    works('run', ['succeed', 'succeed', 'fail', 'break', 'cancel', 'release', 'renew']),
    fc
      .tuple(workers, fc.integer({ min: 1, max: 4 }))
      .map(([n, limit]) =>
        command(`claimCallbacks(w${n}, ${limit})`, always, (model, world) =>
          claimCallbacks(model, world, model.workers[n] ?? '', limit),
        ),
      ),
    works('callback', ['send', 'send', 'give up', 'give up', 'postpone', 'renew']),
    fc
      .constantFrom(10, 60, 150, 150)
      .map((ms) => command(`tick(${ms})`, always, async (model, world) => tick(model, world, ms))),
    fc.tuple(fc.constantFrom('cancel', 'retry', 'rollback'), which).map(([name, at]) =>
      command(
        `${name}(${at})`,
        ({ runs }) => runs.length > 0,
        async (model, world) => {
          const run = pick(model.runs, at);
          assert.ok(run);
          await { cancel, retry, rollback }[name as 'cancel'](model, world, run);
        },
      ),
    ),
    fc
      .option(fc.record({ dead: fc.boolean(), at: fc.nat(30) }), { nil: 'all' as const })
      .map(resendOne),
    workers.map(crash),
    fc
      .tuple(
        workers,
        fc.constantFrom<DeliveryWork[]>('plan', 'fail', 'postpone', 'renew'),
        fc.constantFrom<CallbackWork[]>('send', 'give up', 'postpone', 'renew'),
        fc.constantFrom<RunWork[]>('succeed', 'fail', 'cancel', 'release', 'renew'),
      )
      .map(wakesLate),
  ];
}

function accept(given: { id: number; repository: number; sha: number }): Command {
  const id = `d${given.id}`;
  const repository = REPOSITORIES[given.repository] ?? REPOSITORIES[0] ?? '';
  const sha = `${given.sha}`.repeat(40);
  return command(`accept(${id}, ${repository}, ${given.sha})`, always, async (model, world) => {
    const known = model.deliveries.some((one) => one.id === id);
    const delivery = sampleDelivery(id, { repository, payload: JSON.stringify(sha) });
    assert.equal(await world.store.accept(delivery), !known);
    if (known) return;
    const free = { attempts: 0, leaseUntil: 0, dueAt: 0 };
    model.deliveries.push({ id, repository, state: 'pending', deferred: false, ...free });
  });
}

/** A holder that holds, or once held, a claim does something with it: also who is thought dead, and wakes up again. */
function works(kind: Hold['kind'], what: readonly Work[]): fc.Arbitrary<Command> {
  return fc.tuple(fc.constantFrom(...what), which).map(([work, at]) => {
    const ofKind = (model: Model) => model.holds.filter((hold) => hold.kind === kind);
    return command(
      `${work} ${kind}(${at})`,
      (model) => ofKind(model).length > 0,
      async (model, world) => {
        const all = ofKind(model);
        // The newest that is still alive, or the newest that is not any more.
        const newest = all.findLastIndex(({ alive }) => alive === (at === -1));
        await workOn(model, world, pick(all, at < 0 ? newest : at), work);
      },
    );
  });
}

type Work = DeliveryWork | CallbackWork | RunWork;

async function workOn(
  model: Model,
  world: World,
  hold: Hold | undefined,
  work: Work,
): Promise<void> {
  if (hold?.kind === 'delivery') await workOnDelivery(model, world, hold, work as DeliveryWork);
  if (hold?.kind === 'callback') await workOnCallback(model, world, hold, work as CallbackWork);
  if (hold?.kind === 'run') await workOnRun(model, world, hold, work as RunWork);
}

/** A process stood still for longer than its lease, others went on with what it held, and now it wakes up. */
function wakesLate([n, delivery, callback, run]: [number, DeliveryWork, CallbackWork, RunWork]) {
  return command(
    `wakesLate(w${n}, ${delivery}, ${callback}, ${run})`,
    ({ holds, workers: all }) => holds.some((hold) => hold.alive && hold.worker === all[n]),
    async (model, world) => {
      tick(model, world, 150);
      const other = model.workers[(n + 1) % model.workers.length] ?? '';
      const held = model.holds.filter((hold) => hold.alive && hold.worker === model.workers[n]);
      while (await claimDelivery(model, world, other));
      // Before the runs, whose starts write callbacks that the model has not seen yet.
      while (await claimCallbacks(model, world, other, 8));
      while (await claimRun(model, world, other));
      const work = { delivery, callback, run };
      for (const hold of held) await workOn(model, world, hold, work[hold.kind]);
    },
  );
}

function tick(model: Model, world: World, ms: number): void {
  model.now += ms;
  world.clock.time = model.now;
}

/** Mostly what is dead, but an operator may ask for others. */
function resendOne(which: { dead: boolean; at: number } | 'all'): Command {
  return command(`resend(${JSON.stringify(which)})`, always, async (model, world) => {
    if (which === 'all') return await resend(model, world, 'all');
    const dead = [...model.callbacks.keys()].filter((at) => model.callbacks[at]?.state === 'dead');
    await resend(model, world, (which.dead ? pick(dead, which.at) : undefined) ?? which.at);
  });
}

/** A process is gone without giving anything back. */
function crash(n: number): Command {
  return command(`crash(w${n})`, always, async (model) => {
    const worker = model.workers[n] ?? '';
    for (const hold of model.holds) if (hold.worker === worker) hold.alive = false;
    model.workers[n] = `${worker}'`;
  });
}

function pick<Item>(items: readonly Item[], at: number): Item | undefined {
  return items.length === 0 ? undefined : items.at(at % items.length);
}
