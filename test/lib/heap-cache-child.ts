import { startLean } from '../../src/lib/heap.ts';

/** Starts, and is killed. */
await startLean(async () => undefined);
process.kill(process.pid, 'SIGKILL');
