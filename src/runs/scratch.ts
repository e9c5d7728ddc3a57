import { chmod, lchown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeOwn, type SystemUser } from '../lib/hand-over.ts';

/** The event's payload, for the steps to read. */
export function eventPathOf(scratch: string): string {
  return join(scratch, 'event.json');
}

/** The events of a batch, for the steps to read: a JSON array. */
export function eventsPathOf(scratch: string): string {
  return join(scratch, 'events.json');
}

/** HOME of steps that have a user of their own: what one run leaves there, no other run reads. */
export function homeOf(scratch: string): string {
  return join(scratch, 'home');
}

/**
 * Makes a run's directory and writes the event's payload there. With `stepUser` that user may read the payload and write in
 * the home, and nothing else: directories stay ours, so that nothing in them can be replaced.
 */
export async function makeScratch(deps: {
  scratchDirectory: string;
  run: string;
  payload: string;
  /** The payloads of a batch, in the order in which they came; undefined where the spec gathers none. */
  events: AsyncIterable<string> | undefined;
  stepUser?: SystemUser | undefined;
}): Promise<void> {
  const { stepUser } = deps;
  const scratch = join(deps.scratchDirectory, deps.run);
  const event = eventPathOf(scratch);
  await makeOwn(deps.scratchDirectory, stepUser);
  await makeOwn(scratch, stepUser);
  await writeFile(event, deps.payload, { mode: 0o600 });
  const events = eventsPathOf(scratch);
  if (deps.events !== undefined) await writeFile(events, inArray(deps.events), { mode: 0o600 });
  if (stepUser === undefined) return;
  for (const file of deps.events === undefined ? [event] : [event, events]) {
    await lchown(file, -1, stepUser.gid);
    await chmod(file, 0o640);
  }
  await mkdir(homeOf(scratch), { recursive: true, mode: 0o700 });
  await lchown(homeOf(scratch), stepUser.uid, stepUser.gid);
}

/** One payload after the other: all together may be more than is to be in memory. */
async function* inArray(payloads: AsyncIterable<string>): AsyncGenerator<string> {
  let before = '[';
  for await (const payload of payloads) {
    yield before + payload;
    before = ',\n';
  }
  yield before === '[' ? '[]' : ']';
}
