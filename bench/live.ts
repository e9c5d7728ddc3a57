import { get } from 'node:http';
import { load, median, row } from './load.ts';
import { startServe, TOKEN } from './serve.ts';

/**
 * What people who look at pages that renew themselves cost the intake. One thread does both, so it is the share of that thread's time
 * which the pages take: the CPU time of the process at the same pace of deliveries, with the pages less without, by turns. It fails above
 * a tenth. Each page asks for itself again when it hears of a change, as a browser does.
 */

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3);
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 10);
const PAGES = Number(process.env['BENCH_PAGES'] ?? 200);
/** Deliveries a second. */
const PACE = Number(process.env['BENCH_PACE'] ?? 300);
const MOST_SHARE = 0.1;

const headers = { Authorization: `Bearer ${TOKEN}` };
const serve = await startServe('live', 'mainsheet serve');
const rounds: { alone: number; share: number; asked: number }[] = [];
try {
  await load(serve, 3, { requests: 5000 });
  for (let round = 0; round < ROUNDS; round += 1) {
    await serve.settle();
    const alone = await work();
    const pages = await Promise.all(Array.from({ length: PAGES }, (_, index) => open(index)));
    const beside = await work();
    const asked = pages.reduce((sum, page) => sum + page.close(), 0);
    rounds.push({ alone: alone.each, share: beside.time - alone.time, asked: asked / SECONDS });
  }
} finally {
  await serve.remove();
}
const middle = (pick: (round: (typeof rounds)[number]) => number) => median(rounds.map(pick));
console.log(`${PACE} deliveries a second, median of ${ROUNDS} rounds of ${SECONDS} s\n`);
console.log(row('', ['µs each', 'asked/s', 'of time']));
const share = middle(({ share: of }) => of);
const cells = [Math.round(middle(({ alone }) => alone)), middle(({ asked }) => asked).toFixed(1)];
console.log(row(`${PAGES} pages, half of them of deliveries`, [...cells, share.toFixed(3)]));
if (share > MOST_SHARE) {
  console.log(`MISSED the pages take at most ${MOST_SHARE * 100} % of the time`);
  process.exitCode = 1;
}

/** CPU time for one delivery, in microseconds, and the share of one processor's time. */
async function work(): Promise<{ each: number; time: number }> {
  const [before, since] = [serve.cpu(), performance.now()];
  const { answered } = await load(serve, SECONDS, { pace: PACE, requests: PACE * SECONDS });
  const cpu = serve.cpu() - before;
  return { each: (cpu * 1000) / answered, time: cpu / (performance.now() - since) };
}

/** A page and its stream. `close` answers how often it has asked for itself again. */
async function open(index: number): Promise<{ close: () => number }> {
  const [page, live] = index % 2 === 0 ? ['/deliveries', '/live?of=deliveries'] : ['/', '/live'];
  let asked = 0;
  return await new Promise((resolve, reject) => {
    const request = get(new URL(live, serve.url), { headers, agent: false }, (stream) => {
      if (stream.statusCode !== 200) reject(new Error(`${live}: ${stream.statusCode}`));
      stream.setEncoding('utf8').on('data', (text: string) => {
        if (!text.includes('event: changed')) return;
        asked += 1;
        fetch(new URL(page, serve.url), { headers }).then((answer) => answer.text(), reject);
      });
      stream.on('error', () => undefined);
      resolve({
        close() {
          request.destroy();
          return asked;
        },
      });
    });
    request.on('error', reject);
  });
}
