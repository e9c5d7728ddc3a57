import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  evaluateCondition,
  ExpressionError,
  parseExpression,
  renderJson,
  renderTemplate,
  type ExpressionContext,
} from '../../src/spec/expressions.ts';

const context: ExpressionContext = {
  event: {
    ref: 'refs/heads/main',
    head_commit: { message: 'fix: typo [skip deploy]' },
    number: 5,
    ratio: 0.5,
    nothing: null,
    commits: [{ id: 'a' }, { id: 'b' }],
  },
  run: { sha: 'abc', sequence: 7, branch: undefined },
  secrets: { TOKEN: 's3cr3t-value' },
};

for (const [expression, expected] of [
  [`event.head_commit.message.contains('[skip deploy]')`, true],
  [`event.ref.startsWith('refs/heads/')`, true],
  [`event.ref.endsWith('/main')`, true],
  [`event.ref.matches('^refs/(heads|tags)/m[a-z]+$')`, true],
  [`event.ref.matches('^main$')`, false],
  [`event.number == 5 && event.number > 4 && event.ratio < 1`, true],
  [`event.commits.exists(c, c.id == 'b') && size(event.commits) == 2`, true],
  [`has(event.head_commit.author)`, false],
  [`has(event.nothing.field)`, false],
  [`'main' in ['main', 'next']`, true],
] as const) {
  test(`${expression} is ${expected}`, () => {
    assert.equal(evaluateCondition(expression, context), expected);
  });
}

for (const [template, expected] of [
  ['plain', 'plain'],
  ['at ${{ run.sha }}.', 'at abc.'],
  ['${{run.sequence}}/${{ 1 + 2 }}/${{ event.ratio }}', '7/3/0.5'],
  ['[${{ event.nothing }}] ${{ event.number == 5 }}', '[] true'],
  ['${{ event.commits }}', '[{"id":"a"},{"id":"b"}]'],
  ['${{ {"n": 1, "deep": {"list": [1, "x"]}} }}!', '{"n":1,"deep":{"list":[1,"x"]}}!'],
  [`\${{ "}}" }} \${{ '\${{' }} \${{ r'}}\\d' }}`, '}} ${{ }}\\d'],
  ['${{ timestamp("2024-01-15T14:30:45.123Z") }}', '2024-01-15T14:30:45.123Z'],
  ['${{ duration("90s") }} ${{ [duration("1s")] }} ${{ uint(3) }}', '90s ["1s"] 3'],
  ['${{ 9007199254740993 }} ${{ [9007199254740993] }}', '9007199254740993 ["9007199254740993"]'],
] as const) {
  test(`the template ${template} gives ${expected}`, () => {
    assert.equal(renderTemplate(template, context), expected);
  });
}

test('JSON is rendered at any depth; strings stay strings and keys are left alone', () => {
  const rendered = renderJson(
    { '${{ run.sha }}': 1, list: ['${{ run.sha }}', true, null], n: { x: '${{ run.sequence }}' } },
    context,
  );
  assert.deepEqual(rendered, {
    '${{ run.sha }}': 1,
    list: ['abc', true, null],
    n: { x: '7' },
  });
});

function failureOf(run: () => unknown): ExpressionError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof ExpressionError, String(error));
    return error;
  }
  return assert.fail('it did not throw');
}

test('a field that does not exist is named, with how to test for it', () => {
  const error = failureOf(() => evaluateCondition('event.pull_request.merged', context));
  assert.equal(error.message, 'event.pull_request does not exist');
  assert.match(error.hint ?? '', /has\(event\.pull_request\)/);
  assert.equal(
    failureOf(() => renderTemplate('${{ run.branch }}', context)).message,
    'run.branch does not exist',
  );
  assert.match(
    failureOf(() => renderTemplate('${{ outputs.x }}', context)).message,
    /outputs does not exist/,
  );
});

test('a condition that is neither true nor false is an error', () => {
  assert.match(failureOf(() => evaluateCondition('event.ref', context)).message, /is a string/);
  assert.match(failureOf(() => evaluateCondition('event.number', context)).message, /is a number/);
});

test('calculating with a payload number says how to write it', () => {
  const error = failureOf(() => evaluateCondition('event.number + 1 == 6', context));
  assert.match(error.hint ?? '', /int\(…\)/);
  assert.equal(evaluateCondition('int(event.number) + 1 == 6', context), true);
});

for (const expression of [
  'bool(secrets.TOKEN)',
  'duration(secrets.TOKEN)',
  'timestamp(secrets.TOKEN)',
  'event.ref.matches(secrets.TOKEN + "(")',
  'event[secrets.TOKEN]',
  'bytes(secrets.TOKEN).json()',
  'secrets.TOKEN + 1',
  'timestamp("2024-01-15T14:30:45Z").getHours(secrets.TOKEN)',
]) {
  test(`an error of ${expression} does not hold the secret`, () => {
    const error = failureOf(() => renderTemplate(`\${{ ${expression} }}`, context));
    assert.doesNotMatch(`${error.message} ${error.hint ?? ''} ${String(error.cause)}`, /s3cr3t/);
  });
}

test('a regular expression that would backtrack for ever is stopped', () => {
  const hostile = { event: { ref: `${'a'.repeat(60)}!` } };
  assert.match(
    failureOf(() => evaluateCondition(`event.ref.matches('^(a+)+$')`, hostile)).message,
    /took longer than 500 ms/,
  );
});

test('a comprehension over hostile lists is stopped, and the next evaluation works', () => {
  const hostile = { event: { l: Array.from({ length: 1000 }, (_, n) => n) } };
  const nested = 'event.l.all(a, event.l.all(b, event.l.all(c, a + b + c >= 0.0)))';
  assert.match(
    failureOf(() => evaluateCondition(nested, hostile)).message,
    /took longer than 500 ms/,
  );
  assert.equal(evaluateCondition('1 == 1', {}), true);
});

test('what is too long is refused: expressions and results', () => {
  assert.match(failureOf(() => parseExpression(`'${'x'.repeat(5000)}'`)).message, /longer than/);
  const long = { event: { text: 'x'.repeat(300_000) } };
  assert.match(failureOf(() => renderTemplate('${{ event.text }}', long)).message, /longer than/);
});

test('a payload cannot reach what belongs to the language', () => {
  for (const field of ['constructor', '__proto__', 'toString']) {
    assert.match(
      failureOf(() => renderTemplate(`\${{ event.${field} }}`, context)).message,
      /does not exist/,
    );
  }
});

test('a syntax error has its offset', () => {
  assert.equal(failureOf(() => parseExpression('event.ref == ')).offset, 13);
  assert.match(failureOf(() => parseExpression('')).message, /empty/);
  assert.match(failureOf(() => renderTemplate('a ${{ b', context)).message, /without its/);
});
