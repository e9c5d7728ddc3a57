import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import type { Json } from '../../../src/model/event.ts';
import { parseEvent } from '../../../src/sources/github/events.ts';

interface Payload {
  [key: string]: Json;
}

const examples = JSON.parse(
  readFileSync(createRequire(import.meta.url).resolve('@octokit/webhooks-examples'), 'utf8'),
) as { name: string; examples: Payload[] }[];

/** GitHub's own example of an event. */
function example(name: 'check_run' | 'check_suite', action: string): Payload {
  const found = examples
    .find((event) => event.name === name)
    ?.examples.find((payload) => payload['action'] === action);
  assert.ok(found);
  return structuredClone(found);
}

/** The example, of a check run that Mainsheet has made. */
function pressed(changes: { [key: string]: Json } = {}): Payload {
  const payload = example('check_run', 'requested_action');
  return {
    ...payload,
    check_run: { ...(payload['check_run'] as object), external_id: '01run' },
    requested_action: { identifier: 'rollback' },
    ...changes,
  };
}

test('a button that was pressed is read: what, by whom, of which check run', () => {
  const payload = pressed();
  const { id, head_sha } = payload['check_run'] as { id: number; head_sha: string };
  assert.deepEqual(parseEvent('check_run', payload), {
    kind: 'check',
    repository: (payload['repository'] as Payload)['full_name'],
    press: 'rollback',
    by: (payload['sender'] as Payload)['login'],
    commit: head_sha,
    checkRun: { id, run: '01run' },
  });
});

test('GitHub’s own "Re-run" asks for a retry, of one check run or of all of a commit', () => {
  const one = parseEvent('check_run', pressed({ action: 'rerequested' }));
  assert.partialDeepStrictEqual(one, { kind: 'check', press: 'retry', checkRun: { run: '01run' } });
  const all = parseEvent('check_suite', example('check_suite', 'rerequested'));
  assert.partialDeepStrictEqual(all, { kind: 'check', press: 'retry', checkRun: undefined });
});

test('what else GitHub tells of check runs and suites asks for nothing', () => {
  for (const [name, action] of [
    ['check_run', 'created'],
    ['check_run', 'completed'],
    ['check_suite', 'requested'],
    ['check_suite', 'completed'],
  ] as const) {
    assert.equal(parseEvent(name, example(name, action)).kind, 'other');
  }
});

test('buttons that Mainsheet has not made, and check runs of others, are none', () => {
  const reasonFor = (changes: { [key: string]: Json }) => {
    const event = parseEvent('check_run', pressed(changes));
    return event.kind === 'other' ? event.reason : event.kind;
  };
  assert.match(reasonFor({ requested_action: { identifier: 'explode' } }), /nothing was asked/);
  assert.match(reasonFor({ requested_action: null }), /requested_action is not an object/);
  const { check_run } = pressed();
  const other = (more: { [key: string]: Json }): Json => ({ ...(check_run as Payload), ...more });
  assert.match(reasonFor({ check_run: other({ external_id: '' }) }), /nothing was asked/);
  assert.match(reasonFor({ check_run: other({ id: '7' }) }), /id is no number/);
  assert.match(reasonFor({ check_run: other({ head_sha: 'HEAD' }) }), /head_sha/);
  assert.match(reasonFor({ sender: { login: 'a\nb' } }), /sender\.login/);
});

test('a button’s body is not read as another event’s, nor another’s as a button’s', () => {
  assert.equal(parseEvent('check_suite', pressed()).kind, 'other');
  assert.equal(parseEvent('ping', pressed()).kind, 'other');
  assert.equal(parseEvent('check_run', example('check_suite', 'rerequested')).kind, 'other');
});
