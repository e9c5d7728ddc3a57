import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DeploymentSpec } from '../src/model/deployment-spec.ts';
import type { PushEvent } from '../src/model/event.ts';
import { parseSpecs } from '../src/spec/load.ts';
import { matchSpecs } from '../src/spec/match-specs.ts';

/** A push of many files against many patterns, none of which matches: all of the work there can be. */

const PATHS = 300_000;
const SPECS = 100;
const PATTERNS_OF_SPEC = 10;
const ROUNDS = 3;

const KINDS: Record<string, (spec: number, index: number) => string> = {
  folders: (spec, index) => `services/team-${spec}/app-${index}/**`,
  endings: (spec, index) => `**/*.kind${spec}x${index}`,
  mixed: (spec, index) =>
    [`apps/a${spec}-${index}/**`, `**/*.k${spec}x${index}`, `*/${spec}/**/test?-${index}/[a-f]+`][
      index % 3
    ] ?? '',
};

/** Prints CPU time and the longest time without a turn for others, for each kind of pattern. */
export async function benchPaths(): Promise<void> {
  console.log(
    `\none push of ${PATHS} files against ${SPECS} specs with ${PATTERNS_OF_SPEC} patterns\n`,
  );
  const paths = Array.from(
    { length: PATHS },
    // Near misses of the patterns, so that many states are needed.
    (_, n) => `apps/a${n % 100}-x/${n % 97}/src/module-${n % 31}/file-${n}.k${n % 89}x${n % 10}y`,
  );
  for (const [kind, pattern] of Object.entries(KINDS)) {
    const specs = Array.from({ length: SPECS }, (_, index) => spec(index, pattern));
    for (let round = 1; round <= ROUNDS; round += 1) {
      const { cpu, longest } = await measure(specs, paths);
      console.log(
        `${kind.padEnd(8)} round ${round}  CPU ${cpu.toFixed(0).padStart(5)} ms  longest turn ${longest.toFixed(1).padStart(5)} ms`,
      );
    }
  }
  const reading = cpuTime();
  let sum = 0;
  for (const path of paths) for (let at = 0; at < path.length; at += 1) sum += path.charCodeAt(at);
  console.log(
    `only looking at each character of the paths: ${(cpuTime() - reading).toFixed(0)} ms (${sum})`,
  );
}

async function measure(
  specs: DeploymentSpec[],
  paths: string[],
): Promise<{ cpu: number; longest: number }> {
  let longest = 0;
  const over = new AbortController();
  const watching = (async () => {
    // By the thread's own time: what others on the machine do is not counted.
    for (let last = cpuTime(); !over.signal.aborted;) {
      await nextTurn();
      const now = cpuTime();
      longest = Math.max(longest, now - last);
      last = now;
    }
  })();
  const before = cpuTime();
  const verdicts = await matchSpecs(specs, push(paths), {});
  const cpu = cpuTime() - before;
  over.abort();
  await watching;
  if (verdicts.some(({ matched }) => matched)) throw new Error('no spec was to match');
  return { cpu, longest };
}

function cpuTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function spec(index: number, pattern: (spec: number, index: number) => string): DeploymentSpec {
  const patterns = Array.from({ length: PATTERNS_OF_SPEC }, (_, n) => pattern(index, n));
  const text = `name: s-${index}
repository: acme/shop
on: { push: { paths: ${JSON.stringify(patterns)} } }
steps: [{ run: "true" }]
`;
  const [loaded] = parseSpecs('s.yaml', text).specs;
  if (loaded === undefined) throw new Error('the spec is not valid');
  return loaded.spec;
}

function push(paths: string[]): PushEvent {
  const sha = 'a'.repeat(40);
  return {
    kind: 'push',
    repository: 'acme/shop',
    ref: 'refs/heads/main',
    branch: 'main',
    tag: undefined,
    before: 'b'.repeat(40),
    sha,
    created: false,
    deleted: false,
    forced: false,
    changedPaths: { complete: true, paths },
  };
}
