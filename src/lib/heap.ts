import { flushCompileCache } from 'node:module';
import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Starts what lives as long as the process, without keeping the memory that only starting takes: V8's space for new objects stays
 * at its 1 MB, where it would grow to 32 MB and keep them, and what is left over is collected at the end, which stops the
 * process for a tenth of a second. Then the space may grow again, as work needs it. Rejects as `start` does.
 */
export async function startLean<Started>(start: () => Promise<Started>): Promise<Started> {
  setFlagsFromString('--semi-space-growth-factor=1');
  const started = await start();
  // Node keeps on disk what it has compiled only when it ends by itself, and such a process is often killed: then each start would
  // compile everything once more, and have the compiler in its memory.
  flushCompileCache();
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as NonNullable<typeof gc>;
  setFlagsFromString('--no-expose-gc');
  // What was compiled for starting alone is thrown away by the second collection, and not by the sixth that comes. The last resort
  // is several.
  setFlagsFromString('--bytecode-old-age=1');
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  setFlagsFromString('--bytecode-old-age=6');
  growNewSpace(MOST_NEW_BYTES);
  // What is new and alive is little: several threads that look for it together wait for each other, and take the cores from others.
  setFlagsFromString('--no-parallel-scavenge');
  // Everything is collected when this much is old besides what was left the last time, in percent: V8 would let it grow to four times that.
  setFlagsFromString('--heap-growing-percent=40');
  return started;
}

/** Under load what waits for the disk is a part of this, so little of it grows old. */
const MOST_NEW_BYTES = 16 * 1024 * 1024;

/**
 * Lets the space for new objects, with its copy, grow to `most` bytes; V8 would give it 128 MB and keep them. It is told so again
 * after each collection, because it makes the space small whenever there is little to do.
 */
function growNewSpace(most: number): void {
  const setGrowth = () => {
    const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
    const factor = (space?.space_size ?? 0) < most ? 2 : 1;
    setFlagsFromString(`--semi-space-growth-factor=${factor}`);
  };
  setGrowth();
  new PerformanceObserver(setGrowth).observe({ entryTypes: ['gc'] });
}
