import { isoTime } from '../../lib/clock.ts';
import type { BatchSpec, LoadedSpec } from '../../model/deployment-spec.ts';
import { isGathering, type NewRun, type Run } from '../../model/run.ts';
import { blockedAsMade, supersededAsMade } from '../../runs/plan.ts';
import type { Transitions } from '../../runs/transition.ts';
import type { Tables } from '../../store/index.ts';

/** Payloads of one batch together, in bytes: what comes on top begins the next one. */
const MOST_BYTES = 32 * 1024 * 1024;

/** An event of a spec that gathers them, as the run that it would have alone. */
export interface Gathered {
  planned: NewRun;
  loaded: LoadedSpec;
  batch: BatchSpec;
  /** Events of a spec with the same one go together. */
  key: string;
  /** Why its revision is not to be deployed: a newer one is, or waits to be. */
  late: string | undefined;
  now: number;
}

/** The run that has the event, with the place that it has there; and every run that changed, that one first. */
export interface Taken {
  changed: Run[];
  note: string | undefined;
}

/**
 * Gives an event to the run that gathers them, or makes one. The run has the newest revision of its events, and goes on when its
 * time is over (`Transitions.hold`) or when it is full. Nothing changes for an event that a batch of the spec has already (G2).
 */
export async function gather(
  transitions: Pick<Transitions, 'create' | 'endGathering'>,
  tables: Tables,
  event: Gathered,
): Promise<Taken> {
  const { planned, loaded, batch, key, late, now } = event;
  const { spec, delivery, lane } = planned;
  await tables.pauses.lock('to make runs');
  await tables.runs.lockLane(lane);
  if (await tables.batches.has(spec, delivery)) return { changed: [], note: undefined };
  const bytes = await tables.batches.sizeOf(delivery);
  const open = await tables.batches.open(spec, lane, key);
  const run = open && (await tables.runs.get(open.run));
  // Batches of a lane go on in the order in which they began: none may be left behind by the revision of one before it.
  const newer = await tables.batches.newerRevision(planned);
  if (open === undefined || run === undefined) return await begin();
  const isFull = open.events > 0 && open.bytes + bytes > MOST_BYTES;
  if (isFull || now >= open.closesAt || run.specDigest !== planned.specDigest) {
    const ended = await endBatch(run);
    const { changed, note } = await begin();
    return { changed: [...changed, ...ended], note };
  }
  return await join(run, open.events + 1, open.closesAt);

  async function begin(): Promise<Taken> {
    if (late !== undefined) {
      const made = await transitions.create(tables, supersededAsMade(planned, late), loaded);
      return { changed: made, note: undefined };
    }
    const closesAt = now + batch.windowMs;
    const sha = newer ?? planned.sha;
    const waiting = blockedAsMade({ ...planned, sha }, reasonOf(1, batch, closesAt));
    const made = await transitions.create(tables, { ...waiting, batch: planned.id }, loaded);
    if (made.length === 0) return { changed: [], note: undefined };
    await tables.batches.begin({ run: planned.id, spec, lane, key, closesAt });
    await tables.gates.lookAt(planned.id, closesAt);
    await tables.batches.add(planned.id, spec, delivery, bytes);
    if (newer === undefined) await tables.batches.moveOpen(planned);
    return { changed: made, note: noteOf(1, planned.id) };
  }

  async function join(gathering: Run, count: number, closesAt: number): Promise<Taken> {
    const isNewest =
      late === undefined && !(await tables.batches.cameBefore(delivery, gathering.delivery));
    const { repository, ref, branch, tag, event: kind } = planned;
    const sha = newer ?? planned.sha;
    const revision = { repository, ref, branch, tag, sha, event: kind, delivery };
    const next = {
      ...gathering,
      ...(isNewest ? revision : {}),
      reason: reasonOf(count, batch, closesAt),
    };
    await tables.runs.move(next);
    await tables.batches.add(gathering.id, spec, delivery, bytes);
    if (isNewest && newer === undefined) await tables.batches.moveOpen(planned);
    const changed = count < batch.most ? [next] : await endBatch(next);
    return { changed, note: noteOf(count, gathering.id) };
  }

  async function endBatch(gathering: Run): Promise<Run[]> {
    // What has ended otherwise has closed its batch.
    return isGathering(gathering) ? await transitions.endGathering(tables, gathering) : [];
  }
}

function reasonOf(count: number, { most }: BatchSpec, closesAt: number): string {
  return `Gathering events until ${isoTime(closesAt)}: ${count} of at most ${most}`;
}

function noteOf(count: number, run: string): string {
  return `event ${count} of the batch that run ${run} has`;
}
