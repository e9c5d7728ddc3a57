import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemsIn, problemsOf, REST } from './problems-of.ts';

const CASES: [what: string, lines: string, expected: string[]][] = [
  [
    'an unknown key is shown with the nearest known one',
    `on:\n  push:\n    brunches: [main]\nsteps: [{ run: x }]`,
    ['x.yaml:6:5: unknown key "brunches" — did you mean "branches"?'],
  ],
  [
    'GitHub’s words are written with GitHub’s underscores',
    `production-environment: true${REST}`,
    ['x.yaml:4:1: unknown key "production-environment" — did you mean "production_environment"?'],
  ],
  [
    'a required key that is misspelt is one problem, and not also one that is missing',
    `on: push\nstepz: [{ run: x }]`,
    ['x.yaml:5:1: unknown key "stepz" — did you mean "steps"?'],
  ],
  [
    'a habit from GitHub Actions is answered',
    `on: push\nsteps: [{ run: x, uses: actions/checkout@v4 }]`,
    ['x.yaml:5:19: unknown key "uses" — actions cannot run here; write the commands in "run"'],
  ],
  [
    'a missing key is told where it is missing',
    'on: push\nsteps: [{ name: x }]',
    [
      'x.yaml:5:9: steps[0]: a step needs one of "run", "http", "awx", "jenkins", "workflow", "terraform", "ssh"',
    ],
  ],
  [
    'previews say how they are taken down',
    'on: { pull_request: { max: 0, ttl: 1s } }\nsteps: [{ run: x }]',
    [
      'x.yaml:4:28: on.pull_request.max: at least 1',
      'x.yaml:4:36: on.pull_request.ttl: a duration of 1s is out of bounds — at least 1m and at most 90d',
    ],
  ],
  [
    'previews have a spec of their own',
    'on: { push: , pull_request: }\nsteps: [{ run: x }]',
    [
      'x.yaml:4:5: on: "pull_request" stands alone: its runs have environments of their own — write a spec of its own for previews',
    ],
  ],
  [
    'previews need a teardown',
    'on: { pull_request: }\nsteps: [{ run: x }]',
    [
      'x.yaml:4:21: on.pull_request: previews need "teardown" — write steps that take away what "steps" have made',
    ],
  ],
  [
    'a teardown is for previews, and its steps are held to the rules of steps',
    "on: push\nsteps: [{ run: x }]\nteardown: [{ run: '${{ github.sha }}' }]",
    [
      'x.yaml:6:11: teardown: "teardown" is for specs with on.pull_request — take it out',
      'x.yaml:6:20: "${{ … }}" is not allowed in "run", where a value would become code — use "$MAINSHEET_SHA"',
    ],
  ],
  [
    'a workflow step is started in one way',
    `on: push
steps:
  - workflow: { repository: acme/infra }
  - workflow: { repository: acme/infra, event-type: x, inputs: { a: b } }
  - workflow: { repository: acme/infra, workflow: ../x, client-payload: { a: b } }`,
    [
      'x.yaml:6:15: steps[0].workflow: a workflow step has either "workflow" or "event-type"',
      'x.yaml:7:15: steps[1].workflow: "inputs" belongs to "workflow"',
      'x.yaml:8:15: steps[2].workflow: "client-payload" belongs to "event-type"',
      "x.yaml:8:51: steps[2].workflow.workflow: is no name of a workflow's file: deploy.yml",
    ],
  ],
  [
    'a machine is known by its keys, and a script there gets values through its env',
    `on: push
secrets: [KEY]
steps:
  - ssh: { host: a b, user: u, key: OTHER, host-key: [ssh-ed25519 AAAA, "MD5:aa:bb"], run: x }
  - ssh: { host: "::1", port: 0, user: u, key: KEY, run: "echo \${{ secrets.KEY }}" }`,
    [
      'x.yaml:7:18: steps[0].ssh.host: is no name or address of a machine',
      `x.yaml:7:37: the secret OTHER is not in this spec's "secrets" — add it: secrets: [KEY, OTHER]`,
      ...[55, 73].map(
        (column, index) =>
          `x.yaml:7:${column}: steps[0].ssh.host-key[${index}]: is no host key — write "ssh-ed25519 AAAA…" or "SHA256:…", as the server itself tells it: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`,
      ),
      'x.yaml:8:10: "host-key" is missing in steps[1].ssh',
      'x.yaml:8:31: steps[1].ssh.port: at least 1',
      'x.yaml:8:64: "${{ … }}" is not allowed in "run", where a value would become code — add it to the step\'s env, KEY: "${{ secrets.KEY }}", and use "$KEY"',
    ],
  ],
  [
    'a terraform step stays in the checkout and says who approves as gates do',
    `on: push
steps:
  - terraform: { path: infra/../.., workspace: "\${{ outputs.x }}" }
  - terraform: { approve: sometimes }
  - terraform: { approve: { when: changes, count: 0 }, plan: x }`,
    [
      'x.yaml:6:24: steps[0].terraform.path: is not below the checkout',
      'x.yaml:7:27: steps[1].terraform.approve: "sometimes" is not one of changes, always, never',
      'x.yaml:8:51: steps[2].terraform.approve.count: at least 1',
      'x.yaml:8:56: unknown key "plan" — known keys here: path, approve, program, workspace, vars',
    ],
  ],
  [
    'a trigger is needed',
    'on: {}\nsteps: [{ run: x }]',
    [
      'x.yaml:4:5: on: "on" needs at least one trigger — use push, release, workflow_run, hook, schedule, deployment or pull_request',
    ],
  ],
  [
    'an unknown event is refused',
    'on: [push, pul]\nsteps: [{ run: x }]',
    ['x.yaml:4:12: on[1]: "pul" is not one of push, release, workflow_run — did you mean "push"?'],
  ],
  [
    'a rollback has no ref, and a deployment no reason; a reason is an expression over the request',
    `on:
  hook:
    - { id: a, do: rollback, ref: main }
    - { id: b, reason: inputs.why }
    - { id: c, do: rollback, reason: event.why }
    - { id: d, do: roll-back }
steps: [{ run: x }]`,
    [
      'x.yaml:6:7: on.hook[0]: "ref" and "do: rollback" cannot be used together — take "ref" out: what was deployed before is deployed again',
      'x.yaml:7:7: on.hook[1]: "reason" is for rollbacks — write "do: rollback" beside it',
      'x.yaml:8:38: unknown name "event" in the expression — only body, inputs and hook exist when "if" is looked at',
      'x.yaml:9:20: on.hook[3].do: "roll-back" is not one of deploy, rollback — did you mean "rollback"?',
    ],
  ],
  [
    'a list and its ignore twin cannot be used together',
    `on: { push: { branches: [a], branches-ignore: [b] } }\nsteps: [{ run: x }]`,
    [
      'x.yaml:4:13: on.push: "branches" and "branches-ignore" cannot be used together — keep "branches" and take out with patterns that begin with "!"',
    ],
  ],
  [
    'a list of only negative patterns is refused',
    `on: { push: { tags: ['!v1'] } }\nsteps: [{ run: x }]`,
    [
      'x.yaml:4:21: on.push.tags: a list of nothing but "!" patterns matches nothing — put a pattern for what is wanted before them, such as "**", or use the list\'s "-ignore" twin',
    ],
  ],
  [
    'a bad pattern is refused',
    `on: { push: { branches: ['a[b'] } }\nsteps: [{ run: x }]`,
    [
      'x.yaml:4:26: on.push.branches[0]: the filter pattern "a[b" has a "[" without its "]" — write \\[ for the bracket itself',
    ],
  ],
  [
    'workflow_run needs its workflows',
    'on: workflow_run\nsteps: [{ run: x }]',
    [
      'x.yaml:4:5: on: workflow_run needs to know which workflows — write it as a map: on: { workflow_run: { workflows: [CI] } }',
    ],
  ],
  [
    'a batch is bounded',
    `batch: { window: 25h, max: 1 }
on: push
steps: [{ run: x }]`,
    [
      'x.yaml:4:18: batch.window: a duration of 25h is out of bounds — at least 1s and at most 24h',
      'x.yaml:4:28: batch.max: at least 2',
    ],
  ],
  [
    'a batch loses no event to a newer one, and its key is an expression',
    `batch: { window: 5m, key: inputs.tenant + }
concurrency: { queue: newest, cancel-running: true }
on: push
steps: [{ run: x }]`,
    [
      'x.yaml:4:42: the expression is not valid CEL: unexpected token: EOF — it ends before it is complete',
      'x.yaml:5:23: concurrency.queue: "newest" would lose the events of a batch — take it out: with "batch" every run has its turn',
      'x.yaml:5:47: concurrency.cancel-running: "cancel-running" would lose the events of a batch — take it out: with "batch" every run has its turn',
    ],
  ],
  [
    'a duration has a unit and bounds',
    'timeout: 25h\non: push\nsteps: [{ run: x, timeout: 5 }]',
    [
      'x.yaml:4:10: timeout: a duration of 25h is out of bounds — at least 1s and at most 24h',
      'x.yaml:6:28: steps[0].timeout: must be a string, and is a number — write it like 90s, 15m or 1h30m',
    ],
  ],
  [
    'environment names that Mainsheet or the shell need are refused at the name',
    `env: { MAINSHEET_SHA: x, LD_PRELOAD: y, 1a: z }${REST}`,
    [
      'x.yaml:4:8: MAINSHEET_SHA: names that begin with MAINSHEET_ are set by Mainsheet itself',
      'x.yaml:4:26: LD_PRELOAD is reserved: it decides which programs a step really starts — set it inside "run" where it is needed: export LD_PRELOAD=…',
      'x.yaml:4:41: "1a" is not the name of an environment variable — use letters, digits and _, not beginning with a digit',
    ],
  ],
  [
    'a number that YAML would change is refused',
    `env: { VERSION: 1.10 }${REST}`,
    ['x.yaml:4:17: YAML reads 1.10 as the number 1.1 — quote it: "1.10"'],
  ],
  [
    'a secret has an upper-case name that is not reserved',
    `secrets: [token, A, B, PATH]${REST}`,
    [
      "x.yaml:4:11: secrets[0]: is not a secret's name — use A-Z, 0-9 and _, beginning with a letter; its value does not stand here",
      'x.yaml:4:24: secrets[3]: PATH is reserved: it decides which programs a step really starts — set it inside "run" where it is needed: export PATH=…',
    ],
  ],
  [
    'a secret is listed once',
    `secrets: [A, A]${REST}`,
    ['x.yaml:4:10: secrets: the secret A is listed twice'],
  ],
  [
    'a template in run is answered with the variable to use',
    `secrets: [TOKEN]
on: push
steps:
  - run: |
      echo one
        echo \${{ event.ref }} \${{ secrets.TOKEN }}
  - run: echo \${{ secrets.OTHER }} \${{ outputs.url }}`,
    [
      'x.yaml:9:14: "${{ … }}" is not allowed in "run", where a value would become code — use "$MAINSHEET_REF"',
      'x.yaml:9:31: "${{ … }}" is not allowed in "run", where a value would become code — use "$TOKEN"',
      'x.yaml:10:15: "${{ … }}" is not allowed in "run", where a value would become code — add OTHER to "secrets" and use "$OTHER"',
      'x.yaml:10:36: "${{ … }}" is not allowed in "run", where a value would become code — add it to the step\'s env, URL: "${{ outputs.url }}", and use "$URL"',
    ],
  ],
  [
    'the payload reaches run through the env or the event file',
    'on: push\nsteps: [{ run: "echo ${{ event.head_commit.message }}" }]',
    [
      'x.yaml:5:22: "${{ … }}" is not allowed in "run", where a value would become code — add it to the step\'s env, VALUE: "${{ event.head_commit.message }}", and use "$VALUE"; the whole payload is in the file "$MAINSHEET_EVENT_PATH"',
    ],
  ],
  [
    'a syntax error in an expression is shown where it is',
    `if: event.ref == ${REST}`,
    [
      'x.yaml:4:17: the expression is not valid CEL: unexpected token: EOF — it ends before it is complete',
    ],
  ],
  [
    'an unknown root is refused, in if and in templates',
    `if: evnt.ref == 'x'\nenv: { A: "x \${{ github.head_ref }}", B: "\${{ run.shaa }}" }${REST}`,
    [
      'x.yaml:4:5: unknown name "evnt" in the expression — did you mean "event"?',
      'x.yaml:5:18: github has no field "head_ref" — its fields are event_name, event, ref, ref_name, ref_type, sha, actor, repository',
      'x.yaml:5:47: run has no field "shaa" — did you mean "sha"?',
    ],
  ],
  [
    'if knows only the event, its context and the spec',
    `if: run.sha == 'x'${REST}`,
    [
      'x.yaml:4:5: unknown name "run" in the expression — only event, github, spec and inputs exist when "if" is looked at',
    ],
  ],
  [
    'a secret must be listed before it is used',
    `env: { A: "\${{ secrets.TOKEN }}", B: "\${{ secrets }}" }${REST}`,
    [
      'x.yaml:4:16: the secret TOKEN is not in this spec\'s "secrets" — add it: secrets: [TOKEN]',
      'x.yaml:4:43: "secrets" can only be used with the name of one secret — write secrets.NAME',
    ],
  ],
  [
    'a template where none is evaluated is refused',
    `environment: "\${{ run.branch }}"${REST}`,
    [
      'x.yaml:4:15: "${{ … }}" is not evaluated here — it works in "env", and in http (url, headers, body), awx (extra-vars), jenkins (parameters), workflow (ref, inputs, event-type, client-payload), terraform (workspace, vars), dispatch (event-type, payload), webhook (url), cloudevents (url), slack (text), discord (text), email (text), teams (text)',
    ],
  ],
  [
    "a webhook's signing secret must be listed",
    `notify: [{ webhook: { url: "https://example.com", secret: KEY } }]${REST}`,
    ['x.yaml:4:59: the secret KEY is not in this spec\'s "secrets" — add it: secrets: [KEY]'],
  ],
  [
    'a URL with a password, in a notification and in a step',
    'notify: [{ webhook: { url: "https://me:pw@x.example" } }]\non: push\nsteps: [{ http: { url: "https://me:pw@x.example" } }]',
    [
      'x.yaml:4:28: notify[0].webhook.url: holds a user name or password — keep the URL in a secret: url: "${{ secrets.NAME }}"',
      'x.yaml:6:24: steps[0].http.url: holds a user name or password — name a secret: secret: NAME',
    ],
  ],
  [
    'a value of the event in the host of a webhook is refused',
    `notify: [{ webhook: { url: "https://hooks\${{ event.ref }}.example.com/x" } }]${REST}`,
    [
      'x.yaml:4:46: a value of the event, the run or its outputs would belong to the host — write the host in the spec or keep it in a secret; values of the event may come after it',
    ],
  ],
  [
    'the secret of a chat has to be listed',
    `notify: [{ slack: { secret: SLACK_URL } }]${REST}`,
    [
      'x.yaml:4:29: the secret SLACK_URL is not in this spec\'s "secrets" — add it: secrets: [SLACK_URL]',
    ],
  ],
  [
    'an app of Slack has a listed token and the id of a channel',
    `secrets: [URL]\nnotify: [{ slack: { token: BOT, channel: C0123456789 } }, { slack: { secret: URL, channel: C0123456789 } }, { slack: { secret: URL, channel: "#ops" } }]${REST}`,
    [
      'x.yaml:5:28: the secret BOT is not in this spec\'s "secrets" — add it: secrets: [URL, BOT]',
      'x.yaml:5:68: notify[1].slack: a message to Slack has either "secret", or "token" and "channel" — slack: { secret: SLACK_URL }, or slack: { token: SLACK_BOT_TOKEN, channel: C0123456789 }',
      'x.yaml:5:118: notify[2].slack: a message to Slack has either "secret", or "token" and "channel" — slack: { secret: SLACK_URL }, or slack: { token: SLACK_BOT_TOKEN, channel: C0123456789 }',
      'x.yaml:5:142: notify[2].slack.channel: is no id of a channel, such as C0123456789',
    ],
  ],
  [
    'a notification is one of its kinds',
    `notify: [{ on: succeeded }]${REST}`,
    [
      'x.yaml:4:10: notify[0]: a notification is exactly one of "dispatch", "webhook", "cloudevents", "slack", "discord", "email", "teams" — make an entry for each',
    ],
  ],
  [
    'a dispatch keeps to GitHub’s limits',
    `notify: [{ dispatch: { repository: acme/hub, event-type: ${'x'.repeat(101)}, payload: { ${Array.from({ length: 11 }, (_, n) => `k${n}: 1`).join(', ')} } } }]${REST}`,
    [
      'x.yaml:4:58: notify[0].dispatch.event-type: more than 100 characters, which is all that GitHub accepts',
      'x.yaml:4:170: notify[0].dispatch.payload: a dispatch payload has at most 10 keys, this one has 11 — that is GitHub’s limit; put some of them into a map under one key',
    ],
  ],
  [
    'a dispatch payload has less than 64 KB',
    `notify: [{ dispatch: { repository: acme/hub, event-type: x, payload: { a: ${'x'.repeat(65_536)} } } }]${REST}`,
    [
      'x.yaml:4:70: notify[0].dispatch.payload: a dispatch payload has less than 64 KB, this one has 65544 bytes',
    ],
  ],
  [
    'an expression without quotes that YAML takes for a tag is explained',
    `if: !event.x${REST}`,
    ['x.yaml:4:5: a value that begins with "!" is a tag in YAML — put the value in quotes'],
  ],
  [
    'a pattern without quotes that YAML takes for an alias is explained',
    'on: { push: { branches: [main, *x] } }\nsteps: [{ run: x }]',
    [
      'x.yaml:4:32: a value that begins with "*" is an alias in YAML, and there is no anchor "x" — put the value in quotes',
    ],
  ],
  [
    'a key that is there twice is refused',
    `timeout: 1m\ntimeout: 2m${REST}`,
    ['x.yaml:5:1: the key "timeout" is there twice'],
  ],
  [
    'a template without quotes in a flow map is explained',
    `env: { A: \${{ run.sha }} }${REST}`,
    [
      'x.yaml:4:12: not valid YAML: unexpected flow-map-start at node end — put a value with "${{ … }}" in quotes',
    ],
  ],
  [
    'a retry has bounds',
    'on: push\nsteps: [{ run: x, retry: { attempts: 11 } }]',
    ['x.yaml:5:38: steps[0].retry.attempts: at most 10'],
  ],
  [
    'a step needs something to run',
    `on: push\nsteps: [{ run: '  ' }]`,
    ['x.yaml:5:16: steps[0].run: is empty'],
  ],
];

for (const [what, lines, expected] of CASES) {
  test(what, () => {
    assert.deepEqual(problemsIn(lines), expected);
  });
}

test('a repository is written without the ".git" of its clone URL, with which it would never match', () => {
  assert.match(
    problemsOf(`name: shop\nrepository: acme/shop.git${REST}`).join(),
    /^x.yaml:2:13: repository: a repository is written owner\/name, without ".git"/,
  );
  assert.deepEqual(problemsOf(`name: shop\nrepository: acme/.github${REST}`), []);
});

test('all problems of a document are told at once, schema and expressions alike', () => {
  const found = problemsIn(`if: evnt.x\ntimeout: soon\nstep: []\non: { push: { branch: main } }`);
  assert.equal(found.length, 4, found.join('\n'));
});

test('a file without a spec is no problem, a document that is no map is one', () => {
  assert.deepEqual(problemsOf(''), []);
  assert.deepEqual(problemsOf('# nothing yet\n'), []);
  assert.deepEqual(problemsOf('- a\n'), [
    'x.yaml:1:1: a deployment spec is a map of keys, and this is a list',
  ]);
});
