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
    works('callback', ['send', 'send', 'send', 'give up', 'postpone', 'renew']),
    fc.constantFrom(10, 60, 150).map((ms) =>
      command(`tick(${ms})`, always, async (model, world) => {
        model.now += ms;
        world.clock.time = model.now;
      }),
    ),
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
      .oneof(fc.nat(30), fc.constant('all' as const))
      .map((at) => command(`resend(${at})`, always, (model, world) => resend(model, world, at))),
    workers.map(crash),
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
    model.deliveries.push({ id, repository, state: 'pending', ...free });
  });
}

/** Somebody who holds, or once held, a claim does something with it: also who is thought dead, and wakes up again. */
function works(
  kind: Hold['kind'],
  what: readonly (DeliveryWork | CallbackWork | RunWork)[],
): fc.Arbitrary<Command> {
  return fc.tuple(fc.constantFrom(...what), which).map(([work, at]) => {
    const ofKind = (model: Model) => model.holds.filter((hold) => hold.kind === kind);
    return command(
      `${work} ${kind}(${at})`,
      (model) => ofKind(model).length > 0,
      async (model, world) => {
        const all = ofKind(model);
        // The newest that is still alive, or the newest that is not any more.
        const newest = all.findLastIndex(({ alive }) => alive === (at === -1));
        const hold = pick(all, at < 0 ? newest : at);
        if (hold?.kind === 'delivery') {
          await workOnDelivery(model, world, hold, work as DeliveryWork);
        } else if (hold?.kind === 'callback') {
          await workOnCallback(model, world, hold, work as CallbackWork);
        } else if (hold?.kind === 'run') {
          await workOnRun(model, world, hold, work as RunWork);
        }
      },
    );
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
  return items.at(at < 0 ? at : at % items.length);
}
