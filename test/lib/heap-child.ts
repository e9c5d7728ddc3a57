import { getHeapSpaceStatistics } from 'node:v8';
import { startLean } from '../../src/lib/heap.ts';

/** Makes much that lives for a while, and prints how large the space for new objects has become, in bytes. */
await startLean(async () => undefined);
const alive: string[][] = [];
for (let turn = 0; turn < 400; turn += 1) {
  alive.push(Array.from({ length: 20_000 }, (_, index) => `${turn} ${index}`));
  if (alive.length > 10) alive.shift();
  await new Promise((resolve) => setImmediate(resolve));
}
const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
process.stdout.write(String(space?.space_size));
