import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeploymentSpec } from '../../src/model/deployment-spec.ts';
import type { PushEvent } from '../../src/model/event.ts';
import { parseSpecs } from '../../src/spec/load.ts';
import { comparePathsNow, type PathList } from '../../src/spec/match-paths.ts';
import { matchSpecs } from '../../src/spec/match-specs.ts';

const sha = 'b'.repeat(40);

function specs(count: number, paths: (spec: number) => string[]): DeploymentSpec[] {
  return Array.from({ length: count }, (_, index) => {
    const text = `name: s-${index}\nrepository: acme/shop\non: { push: { paths: ${JSON.stringify(paths(index))} } }\nsteps: [{ run: x }]\n`;
    const [loaded] = parseSpecs('x.yaml', text).specs;
    assert.ok(loaded);
    return loaded.spec;
  });
}

function push(paths: string[]): PushEvent {
  const ref = { ref: 'refs/heads/main', branch: 'main', tag: undefined };
  const facts = { created: false, deleted: false, forced: false };
  const changedPaths = { complete: true as const, paths };
  return {
    kind: 'push',
    repository: 'acme/shop',
    ...ref,
    ...facts,
    before: sha,
    sha,
    changedPaths,
  };
}

test('each list has the first file that decides, and the pattern that decided', () => {
  const only: PathList = { patterns: ['src/**', '!**/*.md', 'src/a.md'], wanted: 'match' };
  const except: PathList = { patterns: ['docs/**', '!docs/api/**'], wanted: 'miss' };
  const never: PathList = { patterns: ['*.go'], wanted: 'match' };
  const paths = ['src/b.md', 'docs/x', 'src/a.md', 'docs/api/y', 'src/c.ts'];
  const answers = comparePathsNow([only, except, never], paths);
  assert.deepEqual(answers(only), { kind: 'found', path: 'src/a.md', by: 'src/a.md' });
  assert.deepEqual(answers(except), { kind: 'found', path: 'src/b.md', by: undefined });
  assert.deepEqual(answers(never), { kind: 'none' });
});

test('what cannot be compared in time counts as matching, and the answer says so', async () => {
  const list: PathList = { patterns: ['*.go'], wanted: 'match' };
  const paths = Array.from({ length: 1000 }, (_, n) => `src/${n}.ts`);
  assert.deepEqual(comparePathsNow([list], paths, 100)(list), { kind: 'undecided' });

  const [verdict] = await matchSpecs(
    specs(1, () => ['*.go']),
    push(['x'.repeat(5000)]),
    {},
  );
  assert.equal(verdict?.matched, true);
  assert.match(verdict.reasons.at(2)?.detail ?? '', /^too many files: counts as matching/);
});

test('a huge push against many specs lets everything else have its turn', async () => {
  const list = specs(100, (spec) =>
    Array.from({ length: 10 }, (_, n) =>
      n % 2 === 0 ? `app-${spec}-${n}/**` : `**/*.x${spec}y${n}`,
    ),
  );
  const paths = Array.from(
    { length: 98_600 },
    (_, n) => `packages/part-${n % 2900}/src/file-${n}.ts`,
  );
  // By the thread's own time: what others on the machine do is not counted.
  const cpuTime = () => process.threadCpuUsage().user / 1000;
  let turns = 0;
  let longest = 0;
  const start = cpuTime();
  let last = start;
  const ticking = setInterval(() => {
    turns += 1;
    longest = Math.max(longest, cpuTime() - last);
    last = cpuTime();
  });
  const verdicts = await matchSpecs(list, push(paths), {});
  clearInterval(ticking);
  const spent = cpuTime() - start;
  assert.ok(verdicts.every(({ matched }) => !matched));
  // Far above what it takes, which the benchmark tells, and far below the minute and a half without all that.
  assert.ok(spent < 5000, `${spent} ms`);
  assert.ok(turns > 3 && longest < 500, `${turns} turns, the longest ${longest} ms`);
});
