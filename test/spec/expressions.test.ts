import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Environment } from '@marcbachmann/cel-js';
import { meter } from '../../src/spec/cel-meter.ts';
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

for (const [expression, hint] of [
  [`contains(event.ref, 'main')`, 'write event.ref.contains("main")'],
  [`startsWith(github.ref, 'refs/tags/')`, 'write github.ref.startsWith("refs/tags/")'],
  [`success()`, 'nothing has run yet'],
  [`event.ref = 'main'`, '"=="'],
] as const) {
  test(`what Actions writes as ${expression} gets a hint`, () => {
    assert.ok(failureOf(() => parseExpression(expression)).hint?.includes(hint));
  });
}

test('a misspelt function gets a hint, and one with the wrong arguments gets no wrong one', () => {
  const hintOf = (expression: string) => failureOf(() => parseExpression(expression)).hint;
  assert.equal(hintOf(`event.ref.contain('x')`), 'did you mean "contains"?');
  assert.equal(hintOf(`sizes(event.ref) > 1`), 'did you mean "size"?');
  assert.equal(hintOf(`event.ref.contains('x', 'y')`), undefined);
});

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

test('a regular expression that would backtrack for ever has its answer at once', () => {
  const hostile = { event: { ref: `${'a'.repeat(60)}!`, pattern: '^(a+)+$' } };
  assert.equal(evaluateCondition(`event.ref.matches('^(a+)+$')`, hostile), false);
  assert.equal(evaluateCondition('event.ref.matches(event.pattern)', hostile), false);
  assert.equal(evaluateCondition(`event.ref.matches('(a+)+!$')`, hostile), true);
});

test('what RE2 cannot do is refused with how it is written', () => {
  const error = failureOf(() => evaluateCondition('event.ref.matches(r"(?=x)\\1")', context));
  assert.match(error.message, /no valid regular expression/);
  assert.match(error.hint ?? '', /RE2/);
});

const many = Array.from({ length: 1000 }, (_, n) => n);
const long = 'ab'.repeat(500_000);
const map = Object.fromEntries(Array.from({ length: 2000 }, (_, n) => [`key ${n}`, n]));
/** 4^20 times as much, if nothing stopped it. */
const doubled = (value: string) =>
  `cel.bind(x, ${value}, ${'cel.bind(x, x + x + x + x, '.repeat(20)}size(x)${')'.repeat(20)}) > 0`;

for (const [what, expression] of [
  ['macros in macros', 'event.many.all(a, event.many.all(b, event.many.all(c, a + b + c >= 0.0)))'],
  ['macros that hold errors back', 'event.many.exists(a, event.many.exists(b, event.no == a))'],
  ['texts doubled again and again', doubled('event.text')],
  ['lists doubled again and again', doubled('event.many')],
  ['a search for one long text in another', 'event.long.lastIndexOf("a" + event.long) > 0'],
  ['the same over and over', 'event.many.all(x, event.long.lowerAscii() != "")'],
  ['a text cut to pieces', 'event.long.split("").size() > 0 && event.long.split("").size() > 0'],
  ['lists compared in a macro', 'event.many.all(x, event.many == event.same)'],
  ['maps counted in a macro', 'event.many.all(x, event.many.all(y, size(event) > 0))'],
  ['the keys of a large map counted', 'event.many.all(x, size(event.map) > 0)'],
  ['keys looked for in a large map', 'event.many.all(x, string(x) in event.map || true)'],
  ['a large map in the place of a condition', 'event.many.all(x, !event.map || true)'],
  ['a duration of many digits', 'duration(event.digits) > duration("1s")'],
  ['time zones', 'event.many.all(x, event.many.all(y, timestamp(1).getHours("Asia/Tokyo") > 0))'],
] as const) {
  test(`${what}: stopped by what it does, the same on every machine`, () => {
    const hostile = {
      event: { many, same: [...many], map, text: 'ab', long, digits: '1'.repeat(100_000) },
    };
    assert.match(
      failureOf(() => evaluateCondition(expression, hostile)).message,
      /takes more than 1000000 steps/,
    );
    assert.equal(evaluateCondition('1 == 1', {}), true);
  });
}

test('an error that || would hold back does not hide that an evaluation was stopped', () => {
  const hostile = { event: { many } };
  const expression = 'event.many.all(a, event.many.all(b, event.many.all(c, true))) || true';
  assert.match(failureOf(() => evaluateCondition(expression, hostile)).message, /steps/);
});

test('a result that holds the same list over and over is refused, not written out', () => {
  const nested = `cel.bind(x, [1, 1], ${'cel.bind(x, [x, x, x, x], '.repeat(20)}x${')'.repeat(20)})`;
  assert.match(failureOf(() => renderTemplate(`\${{ ${nested} }}`, {})).message, /longer than/);
});

test('what a large push asks for is answered', () => {
  const commits = Array.from({ length: 2000 }, (_, n) => ({ id: `${n}`, modified: ['a', 'b'] }));
  const event = { commits, message: 'x'.repeat(1_000_000) };
  assert.equal(evaluateCondition(`event.commits.exists(c, c.id == '1999')`, { event }), true);
  assert.equal(
    evaluateCondition(`event.commits.exists(c, c.modified.exists(f, f.startsWith('src/')))`, {
      event,
    }),
    false,
  );
  assert.equal(evaluateCondition(`event.message.contains('[skip deploy]')`, { event }), false);
  assert.equal(evaluateCondition(`event.message.matches('skip|ci')`, { event }), false);
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

test('whatever repeats work for each element of a list runs under the limit of time, and nothing else costs a thread', () => {
  const repeats = (source: string) => {
    const environment = new Environment({}).registerVariable('event', 'dyn');
    const parsed = environment.parse(source);
    assert.equal(parsed.check().valid, true, source);
    return meter(parsed.ast).repeats;
  };
  for (const macro of ['all', 'exists', 'exists_one', 'filter', 'map']) {
    assert.equal(repeats(`event.list.${macro}(x, x == 1.0)`), true, macro);
    assert.equal(repeats(`event.a == 'b' || [event.list.${macro}(x, x == 1.0)].size() == 1`), true);
  }
  assert.equal(repeats("has(event.a) && event.a.contains('b') && event.a.matches('b+')"), false);
});
