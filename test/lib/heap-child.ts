import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { startLean } from '../../src/lib/heap.ts';

/** Makes much that lives for a while, is given back what is free, as when it is idle, and makes it again. Prints how large the space for new objects is after each, in bytes. */
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as NonNullable<typeof gc>;
await startLean(async () => undefined);
const sizes: number[] = [];
await work();
collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
note();
await work();
process.stdout.write(JSON.stringify(sizes));

async function work(): Promise<void> {
  const alive: string[][] = [];
  for (let turn = 0; turn < 100; turn += 1) {
    alive.push(Array.from({ length: 20_000 }, (_, index) => `${turn} ${index}`));
    if (alive.length > 10) alive.shift();
    await new Promise((resolve) => setImmediate(resolve));
  }
  note();
}

function note(): void {
  const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
  sizes.push(space?.space_size ?? 0);
}
