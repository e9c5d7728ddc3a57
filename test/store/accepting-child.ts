import { writeSync } from 'node:fs';
import { sampleDelivery } from './samples.ts';
import { openAt } from './open-at.ts';

// Accepts deliveries until it is killed and prints each id once its promise has resolved: what a sender would have heard.
const [place = '', round = ''] = process.argv.slice(2);
const store = await openAt(place);
const payload = JSON.stringify({ filler: 'x'.repeat(8 * 1024) });

for (let turn = 0; ; turn += 1) {
  const group = Array.from({ length: 1 + (turn % 20) }, (_, index) => `${round}-${turn}-${index}`);
  await Promise.all(
    group.map(async (id) => {
      await store.accept(sampleDelivery(id, { payload }));
      // Written at once: what is still in this process when it is killed was not acknowledged.
      writeSync(1, `${id}\n`);
    }),
  );
}
