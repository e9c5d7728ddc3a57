import { compare, report, startReceiver } from './load.ts';

/** Taking in a webhook with an empty and with a full delivery table: the rate is to stay (a ratio of at least 0.9). */

const ROWS = Number(process.env['BENCH_ROWS'] ?? 1_000_000);
report(
  await compare([
    await startReceiver('empty', 'Mainsheet, empty table'),
    await startReceiver('full', `Mainsheet, ${ROWS.toLocaleString('en')} rows`, {
      BENCH_ROWS: String(ROWS),
    }),
  ]),
  'full',
);
