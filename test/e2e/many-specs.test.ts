import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { asAdmin } from '../support/admin.ts';
import { until } from '../support/until.ts';
import { createWorld, SITE, type World } from '../support/world.ts';

const FILES = 1000;
const IN_A_FILE = 10;
/** What ten thousand specs may take, in bytes; they are about 30 MB of objects. */
const MOST_MEMORY = 600 * 1_000_000;
/** What an answer may take while they are read again; to parse all of them without a pause takes longer. */
const LONGEST_ANSWER_MS = 1500;

const spec = (name: string, repository: string) => `
name: ${name}
repository: ${repository}
on: { push: { branches: [main, "release/**"], paths: ["**", "!docs/**"] } }
if: "!event.head_commit.message.contains('[skip deploy]')"
env: { NAME: ${name} }
steps: [{ name: Say, run: 'echo "$NAME"' }]
`;

const fileOf = (file: number) =>
  Array.from({ length: IN_A_FILE }, (_, index) =>
    spec(`s-${file}-${index}`, `acme/repository-${file}`),
  ).join('---');

let world: World;
before(async () => {
  const specs = Array.from({ length: FILES }, (_, file) => [`f${file}.yaml`, fileOf(file)]);
  world = await createWorld({ specs: Object.fromEntries(specs) as Record<string, string> });
});
after(() => world.close());

test('with ten thousand specs a changed one counts soon, the process answers meanwhile, and its memory is bounded', async (t) => {
  const { controller } = world;
  const loaded = controller.log.find(({ msg }) => msg === 'deployment specs loaded');
  assert.equal(loaded?.['count'], FILES * IN_A_FILE);

  let changes = 0;
  const longestAnswer = async () => {
    changes += 1;
    const from = controller.log.length;
    const text = spec('site', SITE).replace('name: Say', `name: Say ${changes}`);
    await writeFile(join(controller.specsDir, 'f0.yaml'), text);
    const answers: { status: number; ms: number }[] = [];
    await until('the change counts', async () => {
      const asked = performance.now();
      const { status } = await asAdmin(`${controller.url}/readyz`);
      answers.push({ status, ms: performance.now() - asked });
      return controller.log.slice(from).some(({ count }) => count === (FILES - 1) * IN_A_FILE + 1);
    });
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    return Math.round(Math.max(...answers.map(({ ms }) => ms)));
  };
  // A machine that is busy may take longer now and then.
  await until('no answer takes long', async () => {
    const longest = await longestAnswer();
    t.diagnostic(`the longest answer took ${longest} ms`);
    return longest < LONGEST_ANSWER_MS;
  });

  const sha = await world.sample.commit({ message: 'One among many', files: { 'a.txt': 'a' } });
  await world.sample.push('main');
  const { specs } = await world.explainedPush(sha);
  assert.deepEqual(
    specs.map((one) => [one.spec, one.reasons.filter(({ held }) => !held)]),
    [['site', []]],
  );
  assert.equal((await world.ended(sha)).state, 'succeeded');

  if (process.platform !== 'linux') return;
  const status = await readFile(`/proc/${controller.pid}/status`, 'utf8');
  const peak = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  assert.ok(peak < MOST_MEMORY, `${Math.round(peak / 1_000_000)} MB`);
});
