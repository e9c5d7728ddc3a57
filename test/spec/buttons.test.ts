import assert from 'node:assert/strict';
import { test } from 'node:test';
import { combine, parseSpecs } from '../../src/spec/load.ts';
import { formatProblem } from '../../src/spec/problem.ts';

const HOOK = `kind: hook
id: slack-buttons
sender: slack
secrets: SLACK_SIGNING_SECRET
team: T0000000001
users: { U0000000001: alice }
`;
const spec = (buttons: string, more = 'on: push') => `name: shop
repository: acme/shop
secrets: [BOT]
steps: [{ run: 'true' }]
notify: [{ slack: { token: BOT, channel: C0123456789, buttons: ${buttons} } }]
${more}
`;
const problemsOf = (text: string) => parseSpecs('x.yaml', text).problems.map(formatProblem);

test('a hook for buttons says who people are, is signed by Slack, and starts nothing', () => {
  const { hooks, problems } = parseSpecs('x.yaml', HOOK);
  assert.deepEqual(problems, []);
  assert.deepEqual(hooks[0]?.hook.people, {
    team: 'T0000000001',
    users: { U0000000001: 'alice' },
  });
  assert.deepEqual(hooks[0].hook.contentTypes, ['application/x-www-form-urlencoded']);
  for (const [from, to, problem] of [
    ['sender: slack', 'sender: stripe', /users: the sender is slack$/],
    ['secrets: SLACK_SIGNING_SECRET\n', '', /users: it needs secrets$/],
    ['team: T0000000001\n', '', /"team" and "users" belong together$/],
    ['T0000000001', 'acme', /team: is no id of a workspace/],
    ['U0000000001', 'alice', /:6:\d+: is no id of a person/],
    ['alice', '"a b"', /users.*: is no login/],
    ['{ U0000000001: alice }', '{}', /users: names no one/],
    ['team', 'methods: GET\nteam', /methods: Slack sends POST/],
    ['team', 'content-types: text/plain\nteam', /content-types: Slack sends application/],
    ['team', 'if: "true"\nteam', /if: a hook for buttons has none/],
    ['team', 'respond: { wait: 5s }\nteam', /respond: a hook for buttons has none/],
  ] as const) {
    const [found = '', ...others] = problemsOf(HOOK.replace(from, to));
    assert.match(found, problem);
    assert.deepEqual(others, []);
  }
});

test('the buttons of a message are told to a hook for buttons', () => {
  const of = (...texts: string[]) => {
    const files = texts.map((text, index) => parseSpecs(`${index}.yaml`, text));
    const { problems, warnings } = combine(files);
    return [...problems, ...warnings].map(formatProblem);
  };
  assert.deepEqual(of(HOOK, spec('slack-buttons')), []);
  assert.deepEqual(of(HOOK, spec('slack-button')), [
    '1.yaml:1:1: the buttons of shop are told to the hook slack-button, which no file has — did you mean "slack-buttons"?',
  ]);
  const events = 'kind: hook\nid: events\nsender: slack\nsecrets: S\n';
  assert.deepEqual(of(events, spec('events')), [
    '1.yaml:1:1: the buttons of shop are told to the hook events, which names no users of Slack — write it: kind: hook, sender: slack, team, users',
  ]);
  assert.deepEqual(of(HOOK, spec('slack-buttons', 'on: { hook: { id: slack-buttons } }')), [
    '1.yaml:1:1: shop is never started by the hook slack-buttons, which is for buttons — name another hook',
  ]);
  // Of one file alone the hook may stand in another.
  assert.deepEqual(combine([parseSpecs('x.yaml', spec('slack-buttons'))], false).problems, []);
  assert.match(
    problemsOf(spec('slack-buttons').replace('acme/shop', 'work:acme/shop')).join(),
    /x.yaml:5:\d+: people who may press buttons only GitHub has/,
  );
});
