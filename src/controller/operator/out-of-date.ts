import { TerminalError } from '../../lib/errors.ts';
import type { Press } from '../../model/event.ts';
import type { Run } from '../../model/run.ts';
import type { Tables } from '../../store/index.ts';

/**
 * A button stays where it was when other runs have come. Throws TerminalError `press-outdated`, naming the run to look at, where it would
 * do something else than it says: roll back what is not deployed any more, or do once more what a run is about to do. It holds until
 * the transaction ends.
 */
export async function checkPress(
  { environments, pauses, runs }: Pick<Tables, 'environments' | 'pauses' | 'runs'>,
  press: Press,
  run: Run,
): Promise<void> {
  if (press !== 'rollback' && press !== 'retry') return;
  const { id, spec, delivery, sequence } = run;
  await pauses.lock('to change');
  const later = (await runs.activeAt(run)).find(
    (other) =>
      other.cause === press &&
      other.sequence > sequence &&
      (press === 'rollback' || other.delivery === delivery),
  );
  if (later !== undefined) {
    const does = press === 'rollback' ? 'rolls back already' : `retries run ${id} already`;
    throw outdated(`run ${later.id} ${does}: it is ${later.state}`);
  }
  if (press === 'retry') return;
  const deployed = await environments.get(run);
  const now = deployed === undefined ? undefined : await runs.get(deployed.run);
  if (now === undefined || now.sequence <= sequence) return;
  throw outdated(
    `run ${now.id} (${now.sha.slice(0, 7)}) is deployed now, after run ${id}: roll back at that run, or with "mainsheet rollback ${spec}"`,
  );
}

function outdated(message: string): TerminalError {
  return new TerminalError('press-outdated', message);
}
