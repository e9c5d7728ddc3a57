import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { checkCondition, checkTemplate } from '../../src/spec/expression-checks.ts';
import {
  evaluateCondition,
  ExpressionError,
  renderJson,
  renderTemplate,
} from '../../src/spec/expressions.ts';
import type { Json } from '../../src/model/event.ts';
import { runs } from './runs.ts';

/** What stands for a secret value: no error may show it. */
const SECRET = 'hunter2-and-more';
const SECRET_BYTES = String([...Buffer.from(SECRET)]);
/** Names of what every JavaScript object has, and no payload. */
const INHERITED = Object.getOwnPropertyNames(Object.prototype).concat(
  'prototype',
  'caller',
  'arguments',
);

const names = fc.oneof(
  fc.constantFrom(
    'event',
    'run',
    'spec',
    'outputs',
    'secrets',
    'a',
    'list',
    'text',
    'T',
    'sha',
    'length',
  ),
  fc.constantFrom('secrets.T', 'event.text', 'event.list', 'outputs.a', 'run.sha'),
  fc.constantFrom(...INHERITED),
);
const literals = fc.constantFrom(
  '1',
  '-1',
  '2u',
  '1.5',
  '1e308',
  '"x"',
  "'a\\'b'",
  'b"x"',
  'true',
  'null',
  '[]',
  '[1, 2]',
  '{}',
  '{"a": 1}',
);
const FUNCTIONS = [
  'size',
  'string',
  'int',
  'double',
  'type',
  'dyn',
  'has',
  'bool',
  'duration',
  'timestamp',
  'bytes',
];
const METHODS = [
  'contains',
  'startsWith',
  'matches',
  'split',
  'map',
  'filter',
  'all',
  'exists',
  'constructor',
  'call',
  'apply',
];
const OPERATORS = ['+', '-', '*', '/', '%', '==', '!=', '<', '&&', '||', 'in'];

/** Expressions that mostly have the right form, so that they are evaluated. */
const { expression } = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    names,
    literals,
    fc.tuple(tie('expression'), names).map(([of, name]) => `${of}.${name}`),
    fc.tuple(tie('expression'), tie('expression')).map(([of, key]) => `${of}[${key}]`),
    fc.tuple(tie('expression'), names).map(([of, key]) => `${of}["${key}"]`),
    fc
      .tuple(tie('expression'), fc.constantFrom(...OPERATORS), tie('expression'))
      .map((parts) => `(${parts.join(' ')})`),
    fc
      .tuple(fc.constantFrom(...FUNCTIONS), tie('expression'))
      .map(([name, of]) => `${name}(${of})`),
    fc
      .tuple(tie('expression'), fc.constantFrom(...METHODS), tie('expression'))
      .map(([of, name, argument]) => `${of}.${name}(${argument})`),
    fc
      .tuple(
        tie('expression'),
        fc.constantFrom('map', 'filter', 'all', 'exists'),
        tie('expression'),
      )
      .map(([of, name, body]) => `${of}.${name}(a, ${body})`),
    tie('expression').map((of) => `!${of}`),
    fc
      .tuple(tie('expression'), tie('expression'), tie('expression'))
      .map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
  ),
}));
const anything = fc.oneof(
  { arbitrary: expression, weight: 5 },
  { arbitrary: fc.string({ unit: 'binary', maxLength: 40 }), weight: 1 },
  {
    arbitrary: fc.tuple(expression, fc.nat(40)).map(([text, end]) => text.slice(0, end)),
    weight: 1,
  },
);

const context = {
  run: { id: 'r1', sha: 'a'.repeat(40) },
  event: { a: 1, list: [1, 'x', null, { a: [] }], text: 'say (a+)+$' },
  spec: { name: 'shop' },
  outputs: { a: 'x' },
  secrets: { T: SECRET },
};

test('whatever an expression says, it gives a text or an error that shows no value', () => {
  let rendered = 0;
  fc.assert(
    fc.property(anything, (source) => {
      const text = attempt(() => renderTemplate(`<\${{ ${source} }}>`, context));
      if (typeof text === 'string') rendered += 1;
      attempt(() => evaluateCondition(source, context));
    }),
    runs(2500),
  );
  assert.ok(rendered > 100, `${rendered} were rendered`);
});

test('no function, method or operator tells the secret that it cannot use', () => {
  let refused = 0;
  for (const secret of ['secrets.T', '(secrets.T + "(")', '[secrets.T]', '{secrets.T: 1}']) {
    const uses = [
      ...FUNCTIONS.map((name) => `${name}(${secret})`),
      ...METHODS.flatMap((name) => [`"x".${name}(${secret})`, `${secret}.${name}("(")`]),
      ...OPERATORS.flatMap((sign) => [`${secret} ${sign} 1`, `1 ${sign} ${secret}`]),
      ...['event', '[1]', '{"a": 1}', '"x"'].map((of) => `${of}[${secret}]`),
      `-${secret}`,
      `!${secret}`,
      `${secret} ? 1 : 2`,
    ];
    for (const source of uses) {
      if (attempt(() => renderTemplate(`\${{ ${source} }}`, context)) === undefined) refused += 1;
      attempt(() => evaluateCondition(source, context));
    }
  }
  assert.ok(refused > 100, `${refused} were refused`);
});

test('no name leads to what belongs to the language and not to the data', () => {
  const inherited = fc.constantFrom(...INHERITED);
  const roots = fc.constantFrom(
    'event',
    'event.list',
    'event.text',
    'event.a',
    'run',
    'outputs',
    'spec',
    'event.list[3]',
    '"x"',
    '[1]',
    'secrets',
  );
  const forms = fc.constantFrom<(root: string, name: string) => string>(
    (root, name) => `${root}.${name}`,
    (root, name) => `${root}["${name}"]`,
    (root, name) => `${root}["${name.slice(0, 3)}" + "${name.slice(3)}"]`,
    (root, name) => `dyn(${root}).${name}`,
    (root, name) => `[${root}].map(a, a.${name})[0]`,
  );
  fc.assert(
    fc.property(roots, inherited, forms, (root, name, form) => {
      const text = attempt(() => renderTemplate(`\${{ ${form(root, name)} }}`, context));
      assert.equal(text, undefined, `${form(root, name)} gives ${text}`);
      const has = attempt(() => evaluateCondition(`has(${root}.${name})`, context));
      assert.notEqual(has, true);
    }),
    runs(500),
  );
  assert.equal(({} as Record<string, unknown>)['a'], undefined);
});

test('a payload with the language’s own names is data like any other, or is refused', () => {
  const payloads = fc.dictionary(fc.constantFrom(...INHERITED), fc.jsonValue({ maxDepth: 1 }), {
    minKeys: 1,
  });
  let read = 0;
  fc.assert(
    fc.property(payloads, (payload) => {
      const event = JSON.parse(JSON.stringify(payload)) as Record<string, Json>;
      for (const name of Object.keys(event)) {
        const text = attempt(() =>
          renderTemplate(`\${{ event["${name}"] }}`, { ...context, event }),
        );
        if (text === undefined) continue;
        read += 1;
        const value = event[name];
        const plain =
          value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);
        assert.equal(text, typeof value === 'number' ? String(value) : plain);
      }
    }),
    runs(500),
  );
  assert.ok(read > 100, `${read} were read`);
});

test('any template is text and expressions or an error; a text without one stays as it is', () => {
  const pieces = fc.oneof(
    fc.constantFrom(
      '${{',
      '}}',
      '{',
      '}',
      '$',
      '"',
      "'",
      '\\',
      ' event.a ',
      '"}}"',
      '{"a": 1}',
      '\n',
      'ü',
    ),
    fc.string({ maxLength: 5 }),
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 10 }), (list) => {
      const text = list.join('');
      const rendered = attempt(() => renderTemplate(text, context));
      if (!text.includes('${{')) assert.equal(rendered, text);
      const json = attempt(() => renderJson({ [text]: [text, 1, null] }, context));
      assert.equal(json === undefined, rendered === undefined);
      if (json !== undefined) assert.deepEqual(json, { [text]: [rendered, 1, null] });
      for (const issue of [...checkTemplate(text, new Set(['T'])), ...checkCondition(text)]) {
        assert.ok(issue.offset >= 0 && issue.offset <= text.length);
      }
    }),
    runs(1500),
  );
});

/** Expressions with the text that each stands for, among them all that could be taken for the end of one. */
const known = fc.constantFrom<[source: string, text: string]>(
  ['event.a', '1'],
  ['"}}"', '}}'],
  ["'${{ event.a }}'", '${{ event.a }}'],
  ["'''it's }} '''", "it's }} "],
  ['r"\\}}"', '\\}}'],
  ['"\\"}}"', '"}}'],
  ['{"a": {"b": [1]}}', '{"a":{"b":[1]}}'],
  ['outputs.a + spec.name', 'xshop'],
  ['event.list[2]', ''],
);
/** Text that begins no expression, also where it stands before or behind one. */
const plain = fc
  .array(fc.constantFrom('}}', '}', '{', '$ ', '"', "'", '\\', ' ', '\n', 'ü', 'a'), {
    maxLength: 4,
  })
  .map((list) => list.join(''));

test('text and expressions give their texts in their order, and what is wrong is told where it stands', () => {
  const parts = fc.array(fc.tuple(plain, known, fc.constantFrom('', ' ', '\n  ')), {
    maxLength: 5,
  });
  fc.assert(
    fc.property(parts, plain, (list, end) => {
      const before = list
        .map(([text, [source], gap]) => `${text}\${{${gap}${source}${gap}}}`)
        .join('');
      const text = before + end;
      const expected = list.map(([words, [, value]]) => words + value).join('') + end;
      assert.equal(renderTemplate(text, context), expected);
      assert.deepEqual(renderJson({ [text]: [text, 1] }, context), { [text]: [expected, 1] });
      assert.deepEqual(checkTemplate(text, new Set()), []);

      const wrong = checkTemplate(`${text}\${{ nowhere }}`, new Set());
      assert.deepEqual(
        wrong.map(({ offset }) => offset),
        [text.length + '${{ '.length],
      );
      const unclosed = `${text}\${{ event.a `;
      assert.equal(checkTemplate(unclosed, new Set())[0]?.offset, text.length);
      assert.throws(() => renderTemplate(unclosed, context), ExpressionError);
    }),
    runs(500),
  );
});

/** Undefined when it is refused. Nothing but an ExpressionError may come out, and no value with it. */
function attempt<Result>(evaluate: () => Result): Result | undefined {
  try {
    return evaluate();
  } catch (error) {
    assert.ok(error instanceof ExpressionError, String(error));
    const said = `${error.message} ${error.hint}`;
    assert.ok(!said.includes(SECRET) && !said.includes(SECRET_BYTES), error.message);
    assert.ok(error.message.length < 2000 && error.offset >= 0);
    return undefined;
  }
}
