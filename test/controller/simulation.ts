import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { sql } from 'kysely';
import { pino } from 'pino';
import { createFeedback, type Feedback } from '../../src/controller/feedback/feedback.ts';
import { createBudget, type Budget } from '../../src/github/budget.ts';
import type { Sender } from '../../src/callbacks/send.ts';
import type { WriteLimits } from '../../src/github/room.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { createBroadcast } from '../../src/lib/broadcast.ts';
import type { AnyMessage } from '../../src/callbacks/index.ts';
import type { LoadedSpec } from '../../src/model/deployment-spec.ts';
import type { News } from '../../src/model/news.ts';
import type { Run } from '../../src/model/run.ts';
import { createRender } from '../../src/runs/render-callback.ts';
import { createSpecReader } from '../../src/runs/snapshot.ts';
import { createTransitions } from '../../src/runs/transition.ts';
import { parseSpecs } from '../../src/spec/load.ts';
import { newDatabase } from '../support/new-store.ts';
import { createStore, type Store } from '../../src/store/index.ts';
import { sampleRun } from '../store/samples.ts';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

export interface SentMessage {
  at: number;
  message: AnyMessage;
}

/** Real transitions, outbox, rendering, budget and feedback, with a clock that the test moves and a sender that counts. */
export interface Simulation {
  store: Store;
  now: () => number;
  /** What was sent, oldest first. */
  sent: SentMessage[];
  /** Plans a run of the spec `site-<lane>`: made at `at` (milliseconds since the start), started and ended after it. */
  plan: (id: string, lane: number, at: number, timing?: { start: number; end: number }) => void;
  /** Runs that have ended, with the time. */
  ended: Map<string, { run: Run; at: number }>;
  /** Lets time pass in steps of `stepMs`, default five seconds. */
  pass: (ms: number, stepMs?: number) => Promise<void>;
  /** The process dies and another one takes its place: nothing but the store is left. */
  restart: () => Promise<void>;
}

export async function createSimulation(
  t: TestContext,
  options: {
    limits?: WriteLimits;
    /** Instead of the sender that counts. */
    connect?: (clock: Clock, budget: () => Budget) => Sender;
    /** What every run deploys, where the commit has to exist; default one for each run. */
    sha?: string;
  } = {},
): Promise<Simulation> {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-simulation-'));
  const db = await newDatabase(join(directory, 'mainsheet.db'));
  // The power stays on here, and the disk would be what the test takes its time for.
  await sql`pragma synchronous = off`.execute(db);
  const store = await createStore(db);
  t.after(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });

  // Tokens of an App are made by the real clock, so the simulated one begins there.
  const start = Date.now();
  let time = start;
  const clock = { now: () => time, elapsed: () => time, sleep: async () => undefined };
  const news = createBroadcast<News>();
  const specOf = createSpecReader();
  const transitions = createTransitions({
    store,
    specOf,
    clock,
    news,
    publicUrl: undefined,
    feedback: 'app',
  });
  const sent: SentMessage[] = [];
  const counting: Sender = {
    async send(message) {
      sent.push({ at: time, message: message as AnyMessage });
      return message.kind === 'deployment' ? { id: sent.length } : {};
    },
  };
  const logger = pino({ level: 'silent' });
  const stopping = new AbortController();

  let budget: Budget;
  const sender = options.connect?.(clock, () => budget) ?? counting;

  function startFeedback(): Feedback {
    const limits = options.limits ?? { perMinute: 80, perHour: 500 };
    budget = createBudget({ clock, limits, shared: false, log: store.githubWrites });
    const render = createRender({ store, specOf, secret: () => undefined, publicUrl: undefined });
    return createFeedback({
      leaseMs: 120_000,
      store,
      sender,
      render,
      budget,
      clock,
      logger,
      news,
    });
  }
  let feedback = startFeedback();

  const events: { at: number; act: () => Promise<void> }[] = [];
  const ended: Simulation['ended'] = new Map();
  const specs = new Map<number, LoadedSpec>();
  const specFor = (lane: number) => {
    const loaded = specs.get(lane) ?? loadSpec(lane);
    specs.set(lane, loaded);
    return loaded;
  };

  async function create(id: string, lane: number): Promise<void> {
    const loaded = specFor(lane);
    const run = sampleRun(id, {
      spec: loaded.spec.name,
      specDigest: loaded.digest,
      lane: `lane-${lane}`,
      sha: options.sha ?? shaOf(id),
      createdAt: time,
    });
    await store.atomically((tables) => transitions.create(tables, run, loaded));
  }

  async function move(id: string, type: 'start' | 'succeed'): Promise<void> {
    const run = await store.runs.get(id);
    if (run === undefined || run.finishedAt !== undefined) return;
    const command = type === 'start' ? { type } : { type, outputs: {} };
    const next = await transitions.commit(run, command);
    if (type === 'succeed') ended.set(id, { run: next, at: time });
  }

  /** As the loop does: a callback that is done wakes it, so a target is gone through in one go. */
  async function pump(): Promise<void> {
    for (let idle = 0; idle < 2;) {
      const more = await feedback.turn(stopping.signal);
      await feedback.settled();
      idle = more ? 0 : idle + 1;
    }
  }

  return {
    store,
    now: () => time,
    sent,
    ended,
    plan(id, lane, at, timing = { start: 11 * SECOND, end: 25 * SECOND }) {
      events.push(
        { at: start + at, act: () => create(id, lane) },
        { at: start + at + timing.start, act: () => move(id, 'start') },
        { at: start + at + timing.end, act: () => move(id, 'succeed') },
      );
      events.sort((a, b) => a.at - b.at);
    },
    async pass(ms, stepMs = 5 * SECOND) {
      for (const until = time + ms; time < until;) {
        time = Math.min(until, time + stepMs);
        while (events[0] !== undefined && events[0].at <= time) await events.shift()?.act();
        await pump();
      }
    },
    async restart() {
      await store.outbox.releaseAll();
      feedback = startFeedback();
    },
  };
}

/** A commit for a run, made of its number. */
export function shaOf(id: string): string {
  return Buffer.from(id.padEnd(20, '-')).toString('hex');
}

/** The most of these times that lie in any window of `ms`. */
export function mostWithin(times: readonly number[], ms: number): number {
  let most = 0;
  let first = 0;
  for (const [index, at] of times.entries()) {
    while ((times[first] ?? at) <= at - ms) first += 1;
    most = Math.max(most, index - first + 1);
  }
  return most;
}

function loadSpec(lane: number): LoadedSpec {
  const text = `name: site-${lane}
repository: acme/storefront
on: { push: { branches: [main] } }
steps: [{ run: "true" }]
notify:
  - dispatch: { repository: acme/hub, event-type: deployed, payload: { sha: "\${{ run.sha }}" } }
`;
  const [loaded] = parseSpecs('site.yaml', text).specs;
  if (loaded === undefined) throw new Error('the spec of the simulation is wrong');
  return loaded;
}
