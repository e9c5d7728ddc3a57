import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/lib/clock.ts';
import { createLogger } from '../src/lib/logger.ts';
import { parseEvent } from '../src/sources/github/events.ts';
import { createCatalog } from '../src/spec/catalog.ts';
import { matchSpecs } from '../src/spec/match-specs.ts';
import { benchPaths } from './match-paths.ts';

/** Finding and judging the specs of one event among 10, 1,000 and 10,000. The median is to stay where it is. */

const SIZES = [10, 1000, 10_000];
const ROUNDS = 2000;
const sha = 'a'.repeat(40);
const payload = {
  ref: 'refs/heads/main',
  before: 'b'.repeat(40),
  after: sha,
  created: false,
  deleted: false,
  forced: false,
  repository: { full_name: 'acme/site-3' },
  head_commit: { id: sha, message: 'Change' },
  commits: [{ id: sha, added: ['src/a.ts'], removed: [], modified: [] }],
};

console.log(`one push against N specs, median of ${ROUNDS}\n`);
let first: number | undefined;
for (const size of SIZES) {
  const directory = await mkdtemp(join(tmpdir(), 'bench-specs-'));
  const documents = Array.from({ length: size }, (_, index) => spec(index));
  for (let start = 0; start < size; start += 100) {
    await writeFile(
      join(directory, `${start}.yaml`),
      documents.slice(start, start + 100).join('---\n'),
    );
  }
  const logger = createLogger({ level: 'error', format: 'json' });
  const catalog = createCatalog({ directory, logger, clock: systemClock });
  const loading = performance.now();
  const { specs, problems } = await catalog.reload();
  const loaded = performance.now() - loading;
  if (specs.length !== size) throw new Error(problems[0]?.message);

  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    const event = parseEvent('push', payload);
    const found = catalog.forRepository('acme/site-3');
    const verdicts = await matchSpecs(
      found.map((loaded) => loaded.spec),
      event,
      payload,
    );
    const matched = verdicts.filter((verdict) => verdict.matched);
    times.push(performance.now() - start);
    if (matched.length !== 1) throw new Error('one spec was to match');
  }
  const median = times.sort((a, b) => a - b)[ROUNDS / 2] ?? 0;
  first ??= median;
  console.log(
    `${String(size).padStart(6)} specs  ${(median * 1000).toFixed(0).padStart(5)} µs  ` +
      `${(median / first).toFixed(2)} times the first  (read in ${(loaded / 1000).toFixed(1)} s)`,
  );
  await rm(directory, { recursive: true, force: true });
}

await benchPaths();

function spec(index: number): string {
  return `name: site-${index}
repository: acme/site-${index}
on: { push: { branches: [main, "release/**"], paths: ["src/**", "!**/*.md"] } }
if: "!event.head_commit.message.contains('[skip deploy]')"
steps: [{ run: "true" }]
`;
}
