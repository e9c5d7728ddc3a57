import { startLean } from '../../src/lib/heap.ts';

/** Starts, says so, and is there until it is killed. */
await startLean(async () => undefined);
process.stdout.write('up');
setInterval(() => undefined, 60_000);
