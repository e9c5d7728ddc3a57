import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chainGraphs } from '../../../src/http/read/chain-graph.ts';
import { parseSpecs } from '../../../src/spec/load.ts';

/** `c: a b` is a spec `c` that `a` and `b` start. */
function graphsOf(...lines: string[]) {
  const texts = lines.map((line) => {
    const [name = '', starters = ''] = line.split(':');
    const on = starters
      .split(' ')
      .filter(Boolean)
      .map((spec) => `{ spec: ${spec} }`);
    return `name: ${name}\nrepository: acme/a\nenvironment: ${name}\non: ${on.length === 0 ? '{ push: {} }' : `{ deployment: [${on.join(', ')}] }`}\nsteps: [{ run: make }]\n`;
  });
  const { specs, problems } = parseSpecs('all.yaml', texts.join('---\n'));
  assert.deepEqual(problems, []);
  return chainGraphs(specs).map(({ nodes }) =>
    nodes.map(({ spec, level, slot }) => `${spec.name} ${level}/${slot}`),
  );
}

test('specs stand in the order in which they start each other, each after all that start it', () => {
  for (const [lines, expected] of [
    [['a:', 'b:', 'c:'], []],
    [['c: b', 'a:', 'b: a'], [['a 0/0', 'b 1/0', 'c 2/0']]],
    [['a:', 'b: a', 'c: a'], [['a 0/0', 'b 1/0', 'c 1/1']]],
    [['a:', 'b:', 'c: a b'], [['a 0/0', 'c 1/0', 'b 0/1']]],
    // The long way decides where a spec stands, and no two stand in one place.
    [['a:', 'd: a c', 'b: a', 'c: b'], [['a 0/0', 'd 3/0', 'b 1/1', 'c 2/1']]],
    [
      ['a:', 'b: a', 'x:', 'y: x', 'alone:'],
      [
        ['a 0/0', 'b 1/0'],
        ['x 0/0', 'y 1/0'],
      ],
    ],
    // A spec that is not there, or not seen, is no part of the picture.
    [['b: gone', 'c: b'], [['b 0/0', 'c 1/0']]],
  ] as [string[], string[][]][]) {
    assert.deepEqual(graphsOf(...lines), expected, lines.join(' | '));
  }
});

test('a chain that comes back to itself, which no valid specs have, is no picture', () => {
  assert.deepEqual(graphsOf('a: b', 'b: a'), []);
});
