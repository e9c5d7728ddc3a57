import { chmod, lchown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeOwn, type Owner } from '../lib/owner.ts';

/** The event's payload, for the steps to read. */
export function eventPathOf(scratch: string): string {
  return join(scratch, 'event.json');
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
  stepUser?: Owner | undefined;
}): Promise<void> {
  const { stepUser } = deps;
  const scratch = join(deps.scratchDirectory, deps.run);
  const event = eventPathOf(scratch);
  await makeOwn(deps.scratchDirectory, stepUser);
  await makeOwn(scratch, stepUser);
  await writeFile(event, deps.payload, { mode: 0o600 });
  if (stepUser === undefined) return;
  await lchown(event, -1, stepUser.gid);
  await chmod(event, 0o640);
  await mkdir(homeOf(scratch), { recursive: true, mode: 0o700 });
  await lchown(homeOf(scratch), stepUser.uid, stepUser.gid);
}
