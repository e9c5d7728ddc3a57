import assert from 'node:assert/strict';
import { test } from 'node:test';
import { durationTicks } from '../../../../src/http/pages/components/axis.ts';
import { linesPlot } from '../../../../src/http/pages/components/plot.ts';
import { DAY_MS, insightsOf } from '../../../../src/model/insights.ts';

/** A plot of seconds, one a day from 1 January 1970 on. */
function plotOf(...seconds: (number | undefined)[]): string | undefined {
  const view = insightsOf([], { from: 0, to: seconds.length * DAY_MS });
  return linesPlot(view, {
    title: 'Time to restore',
    series: [
      {
        kind: 'is-median',
        name: 'Median',
        of: ({ from }) => {
          const value = seconds[from / DAY_MS];
          return value === undefined ? undefined : value * 1000;
        },
      },
    ],
    ticks: durationTicks,
    textOf: (ms) => `${ms / 1000} s`,
  })?.text;
}

test('a line stops where there is nothing to tell, and goes down to zero for a zero only', () => {
  const text = plotOf(4, 2, undefined, 0, undefined, undefined, 1) ?? '';
  const [line, dots] = [...text.matchAll(/ d="([^"]*)"/g)].map((match) => match[1]);
  assert.equal(line, 'M0.5 0L1.5 70M3.5 140M6.5 105');
  assert.equal(dots, 'M0.5 0h0M1.5 70h0M3.5 140h0M6.5 105h0');
});

test('a plot says in words what it shows, and each bucket its value', () => {
  const text = plotOf(4, undefined, 2) ?? '';
  assert.match(
    text,
    /role="img" aria-label="Time to restore, each day from 1 Jan to 3 Jan: Median 2 s to 4 s"/,
  );
  assert.deepEqual(
    [...text.matchAll(/<title>([^<]*)/g)].map((match) => match[1]),
    ['1 Jan: Median 4 s', '3 Jan: Median 2 s'],
  );
});

test('without any value there is no plot', () => {
  assert.equal(plotOf(undefined, undefined), undefined);
});
