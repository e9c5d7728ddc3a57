import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSpecs } from '../../src/spec/load.ts';
import { formatProblem } from '../../src/spec/problem.ts';

/** A spec that is valid but for these lines, which begin at line 3. */
function read(lines: string) {
  const text = `name: shop\nrepository: acme/shop\n${lines}\n`;
  const { problems, warnings } = parseSpecs('x.yaml', text);
  return { problems: problems.map(formatProblem), warnings: warnings.map(formatProblem) };
}

const STEPS = "\nsteps: [{ run: 'true' }]";

for (const [written, list] of [
  ['on: { push: { branches: "main, dev" } }', '[main, dev]'],
  ['on: { push: { branches: ["main, dev", next] } }', '[main, dev]'],
  ['on: { push: { branches-ignore: "main dev" } }', '[main, dev]'],
  ['on: { push: { tags: "v1,v2" } }', '[v1, v2]'],
  ['on: { push: { paths: "src/**, docs/**" } }', '["src/**", "docs/**"]'],
  ['on: { push: { paths-ignore: "a.md,b.md" } }', '[a.md, b.md]'],
  ['on: { workflow_run: { workflows: [CI], branches: "main, dev" } }', '[main, dev]'],
  ['on: { workflow_run: { workflows: "CI, Lint" } }', '[CI, Lint]'],
  [
    'on: { workflow_run: { workflows: [CI], conclusions: "success, failure" } }',
    '[success, failure]',
  ],
  ['on: { release: { types: published edited } }', '[published, edited]'],
  ['on: push, release', '[push, release]'],
  ['on: push\nsecrets: A_TOKEN, B_TOKEN', '[A_TOKEN, B_TOKEN]'],
  [
    'on: push\nnotify: [{ on: "failed, cancelled", dispatch: { repository: a/b, event-type: x } }]',
    '[failed, cancelled]',
  ],
] as const) {
  test(`a list that is written as one text is refused with the list: ${written}`, () => {
    const { problems } = read(written + STEPS);
    assert.equal(problems.length, 1);
    assert.ok(problems[0]?.includes(list), problems[0]);
  });
}

test('a comma that belongs to a name can be written', () => {
  const { problems } = read(
    `on: { push: { branches: 'a\\,b', paths: ['docs/a,b.md', 'x[,;]'] }, workflow_run: { workflows: ['Build, test'] } }${STEPS}`,
  );
  assert.deepEqual(problems, []);
});

for (const [what, lines, expected] of [
  ['a merge key', `on: push\nenv:\n  <<: { A: b }${STEPS}`, /^x.yaml:5:3: merge keys \("<<"\)/],
  [
    'a colon in a command',
    'on: push\nsteps:\n  - run: echo a: b',
    /^x.yaml:5:10: .* in quotes — write 'echo a: b'/,
  ],
  [
    'a colon in a text with a quote',
    `on: push\nsteps:\n  - name: it's: so\n    run: x`,
    /write 'it''s: so'/,
  ],
  [
    'a key that is indented too much',
    `on: push\n  environment: x${STEPS}`,
    /^x.yaml:4:3: .*column/,
  ],
  [
    'a key that is indented too much below a list',
    `on:\n  push:\n    branches: [main]\n      paths: [x]${STEPS}`,
    /^x.yaml:6:7: .*indented/,
  ],
  [
    'a key of a step too far left',
    'on: push\nsteps:\n  - name: x\n   run: y',
    /^x.yaml:6:4: .*ind/,
  ],
  ['a tab', `on: push\n\tif: x${STEPS}`, /^x.yaml:4:1: .*tab — use spaces/],
  [
    'words after a quoted one',
    'on: push\nsteps:\n  - run: "./a b" --now',
    /^x.yaml:5:18: .* write '"\.\/a b" --now'/,
  ],
  [
    'a command that begins with a bracket',
    "on: push\nsteps:\n  - run: [ -f x ] && echo it's there",
    /write '\[ -f x \] && echo it''s there'/,
  ],
  ['a value that begins with @', 'on: push\nsteps:\n  - run: @x y', /^x.yaml:5:10: .*'@x y'/],
  ['a value that begins with `', 'on: push\nsteps:\n  - run: `x`', /^x.yaml:5:10: .*'`x`'/],
  [
    'a value in double braces',
    'on: push\nsteps:\n  - run: {{ x }}',
    /^x.yaml:5:11: .*\$\{\{ … \}\}.* in quotes/,
  ],
  [
    'a colon without a space',
    'on:push\nsteps:\n  - run: x',
    /^x.yaml:3:1: .*a space after the ":".*write on: push$/,
  ],
  [
    'a bracket that is not closed',
    'on: { push: { branches: [main }\nsteps:\n  - run: x',
    /^x.yaml:\d+:\d+: .*closed/,
  ],
  ['retry as a number', 'on: push\nsteps: [{ run: x, retry: 3 }]', /retry: \{ attempts: 3/],
  ['steps as a map', 'on: push\nsteps: { build: { run: x } }', /steps: \[\{ run: npm ci \}/],
  ['a step as a text', 'on: push\nsteps: [npm ci]', /- run: npm ci$/],
  [
    'workflow_dispatch',
    `on: [push, workflow_dispatch]${STEPS}`,
    /by hand with mainsheet deploy <spec>$/,
  ],
  ['schedule', `on: [push, schedule]${STEPS}`, /write it as a map: on: \{ schedule/],
  ['deployment', `on: [push, deployment]${STEPS}`, /write it as a map, with the spec whose runs/],
  ['pull_request', `on: pull_request${STEPS}`, /write it as a map, in a spec of its own/],
  ['a hook as a text', `on: { hook: shop }${STEPS}`, /hook: \{ id: shop \}$/],
  ['a soak as a number', `on: { deployment: { spec: a, soak: 30 } }${STEPS}`, /like 90s, 15m/],
  ['a gate that is no list', `on: push\ngates: { approve: {} }${STEPS}`, /gates: \[\{ approve/],
  ['a command that is no text', 'on: push\nsteps: [{ run: true }]', /in quotes: "true"$/],
  ['yes', `on: push\nbadge: yes${STEPS}`, /true or false, without quotes$/],
  [
    'a condition that is cut off',
    `on: push\nif: event.x ==${STEPS}`,
    /ends before it is complete$/,
  ],
  ['another kind', `kind: Hook\non: push${STEPS}`, /^x.yaml:3:7: kind: .*has "kind: hook"/],
  ['merge_group', `on: { push: , merge_group: }${STEPS}`, /use push: what the merge queue merges/],
] as const) {
  test(`the message about ${what} says where and what to write`, () => {
    const { problems } = read(lines);
    assert.ok(
      problems.some((problem) => expected.test(problem)),
      problems.join('\n'),
    );
  });
}

test("a step's limit above the run's is a warning", () => {
  const { problems, warnings } = read(
    'on: push\ntimeout: 5m\nsteps: [{ run: x, timeout: 10m }, { run: y, timeout: 5m }]',
  );
  assert.deepEqual(problems, []);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /^x.yaml:5:28: the step's limit of 10m 00s is never reached/);
});

test('a file without a spec is named', () => {
  for (const text of ['', '\n', '# later\n', '---\n---\n']) {
    const { warnings } = parseSpecs('empty.yaml', text);
    assert.match(warnings.map(formatProblem).join('\n'), /^empty.yaml:1:1: there is no deployment/);
  }
});

test('a secret that stands where its name belongs is not repeated', () => {
  const { problems } = read(
    `on: push\nsecrets: [xoxb-0123-abc]\nnotify: [{ slack: { secret: "https://hooks.slack.example/T/B/X" } }]${STEPS}`,
  );
  assert.match(problems.join('\n'), /its value does not stand here/);
  assert.doesNotMatch(problems.join('\n'), /xoxb|slack\.example/);
});
