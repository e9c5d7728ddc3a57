import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSpecs } from '../../src/spec/load.ts';
import { saysOf } from '../../src/spec/says.ts';

function saidBy(more: string, repository = 'acme/shop', on = 'push'): string[] {
  const text = `name: shop\nrepository: ${repository}\non: ${on}\nsteps: [{ run: x }]\n${more}`;
  const { specs, problems } = parseSpecs('shop.yaml', text);
  assert.deepEqual(problems, []);
  const says = specs.flatMap(({ spec }) => saysOf(spec));
  return says.map((said) => `${said.default ? '(default) ' : ''}${said.key}: ${said.detail}`);
}

test('what a spec says of its gates, feedback, comments and rollbacks is told', () => {
  assert.deepEqual(
    saidBy(`
gates: [{ approve: { from: [alice] } }, { window: { allow: ['Mon-Fri 09:00-16:00'] } }]
feedback: [check]
comments: true
after-rollback: continue
badge: true
`),
    [
      'gates: 1 approval by alice',
      'gates: starts in Mon-Fri 09:00-16:00 (UTC)',
      'feedback: GitHub shows a check run',
      'comments: people with write permission may give commands in comments',
      'after-rollback: after a rollback the next commit is deployed',
      'badge: everyone may see its state at /badge/shop.svg',
    ],
  );
});

test('so is what it leaves to the default', () => {
  assert.deepEqual(saidBy(''), [
    '(default) feedback: GitHub shows a commit status, a Deployment',
    '(default) comments: takes no commands in comments',
    '(default) after-rollback: a rollback pauses the lane shop-production',
  ]);
  assert.equal(saidBy('feedback: []')[0], 'feedback: GitHub shows nothing of it');
});

test('another server is called by its name, and of a preview no rollback is told', () => {
  assert.deepEqual(saidBy('', 'work:acme/shop').slice(0, 1), [
    '(default) feedback: work shows a commit status',
  ]);
  const preview = saidBy('teardown: [{ run: y }]', 'acme/shop', '{ pull_request: {} }');
  assert.ok(!preview.some((line) => line.includes('after-rollback')));
});
