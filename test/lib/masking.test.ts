import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createMasker, createMaskers, maskText } from '../../src/lib/masking.ts';

/** Few letters, so that secrets overlap, repeat, and grow out of each other's remains. */
const tightText = (maxLength: number) =>
  fc.string({ unit: fc.constantFrom('a', 'b', '*', '\n'), maxLength });
const anyText = (maxLength: number) => fc.string({ unit: 'binary', maxLength });

function inPieces(text: string, cuts: number[]): string[] {
  const borders = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
  return [...borders, text.length].map((end, index) => text.slice(borders[index - 1] ?? 0, end));
}

function maskPieces(secrets: string[], pieces: string[]): string {
  const masker = createMasker(secrets);
  return pieces.map((piece) => masker.push(piece)).join('') + masker.flush();
}

/** Each piece by a masker of its own, which is first given again what the one before it held. */
function maskByOthers(secrets: string[], pieces: string[]): string {
  const create = createMaskers(secrets);
  let [output, again] = ['', ''];
  for (const [index, piece] of pieces.entries()) {
    const masker = create();
    output += masker.push(again + piece);
    const held = masker.held();
    again = held === 0 ? '' : (again + piece).slice(-held);
    if (index === pieces.length - 1) output += masker.flush();
  }
  return output;
}

for (const [kind, text] of [
  ['text of few letters', tightText],
  ['any text', anyText],
] as const) {
  test(`no secret is ever in the output, and the borders between pieces change nothing: ${kind}`, () => {
    const secrets = fc.array(text(6), { maxLength: 4 });
    const scene = secrets.chain((known) =>
      fc.record({
        secrets: fc.constant(known),
        parts: fc.array(known.length > 0 ? fc.oneof(text(8), fc.constantFrom(...known)) : text(8)),
        cuts: fc.array(fc.nat(200)),
      }),
    );
    fc.assert(
      fc.property(scene, ({ secrets, parts, cuts }) => {
        const whole = parts.join('');
        const output = maskPieces(secrets, inPieces(whole, cuts));
        assert.equal(output, maskText(secrets, whole));
        for (const secret of secrets) {
          if (secret !== '') assert.ok(!output.includes(secret), `${secret} is in ${output}`);
        }
        // What two have masked parts of may have two marks.
        const mark = maskText(secrets, secrets.find((secret) => secret !== '') ?? '');
        const oneMark = (masked: string) =>
          mark === ''
            ? masked
            : masked.replace(new RegExp(`(?:${mark.replaceAll('*', '\\*')})+`, 'g'), mark);
        assert.equal(oneMark(maskByOthers(secrets, inPieces(whole, cuts))), oneMark(output));
      }),
      { numRuns: 2000 },
    );
  });
}

test('text without a secret is given back as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', 'b', '\n') }), (text) => {
      assert.equal(maskText(['xyz', 'c'], text), text);
      assert.equal(maskText([], text), text);
      assert.equal(maskText([''], text), text);
    }),
  );
});

test('a secret is masked wherever a piece ends inside it', () => {
  const text = 'token: hunter2-and-more.';
  for (let cut = 0; cut <= text.length; cut += 1) {
    assert.equal(
      maskPieces(['hunter2-and-more'], [text.slice(0, cut), text.slice(cut)]),
      'token: ***.',
    );
  }
  assert.equal(maskPieces(['hunter2-and-more'], text.split('')), 'token: ***.');
});

test('secrets that overlap are masked together, and one that holds another as a whole', () => {
  assert.equal(maskText(['abcd', 'cdef'], '<abcdef>'), '<***>');
  assert.equal(maskText(['key', 'key-of-the-house'], '<key> <key-of-the-house>'), '<***> <***>');
  assert.equal(maskText(['aa'], '<aaaaa>'), '<***>');
});

test('each line of a secret of several lines is masked, except those that say nothing', () => {
  const secret = '{\n  "user": "robot",\n  "password": "swordfish"\n}\n';
  assert.equal(maskText([secret], 'found:     "password": "swordfish" {}'), 'found:     *** {}');
  assert.equal(maskText([secret], `<${secret}>`), '<***>');
  assert.equal(maskText([secret], secret.replaceAll('\n', '\r\n')), '{\r\n  ***\r\n  ***\r\n}\r\n');
});

test('a secret is masked as HTML, with whatever names, numbers and case its characters have', () => {
  const secret = 'a<b>&"é€Ωω–/🔑';
  for (const written of [
    'a&lt;b&gt;&amp;&quot;&eacute;&euro;&Omega;&omega;&ndash;/🔑',
    'a&LT;b&#62;&#x26;&#34;&#XE9;&#x020aC;Ωω&#8211;&sol;&#x1F511;',
    'a&#0060;b&GT;&AMP;&QUOT;é€&#937;&#x3C9;–&#47;&#55357;&#56593;',
  ]) {
    assert.equal(maskText([secret], `<p>${written}</p>`), '<p>***</p>');
  }
});

test('a secret is masked in the encodings that programs print', () => {
  const secret = `p "w'ä/+?&x y~~~ÿ`;
  const base64 = Buffer.from(secret).toString('base64');
  assert.equal(maskText([secret], JSON.stringify({ a: secret })), '{"a":"***"}');
  assert.equal(maskText([secret], `?a=${encodeURIComponent(secret)}&b`), '?a=***&b');
  assert.equal(
    maskText([secret], `?${new URLSearchParams({ a: secret }).toString()}&b`).includes('w'),
    false,
  );
  assert.equal(maskText([secret], `echo '${secret.replaceAll("'", `'\\''`)}'`), `echo '***'`);
  assert.equal(maskText([secret], `data: ${base64}.`), 'data: ***.');
  assert.equal(
    maskText([secret], `data: ${Buffer.from(secret).toString('base64url')}.`),
    'data: ***.',
  );
});

test('base64 in the midst of other data shows nothing of the secret', () => {
  const secret = 'correct-horse-battery-staple';
  for (const before of ['', 'u', 'us', 'use', 'user:']) {
    for (const after of ['', '\n', ':x', 'yz.']) {
      const encoded = Buffer.from(before + secret + after).toString('base64');
      const masked = maskText([secret], `Authorization: Basic ${encoded}`);
      const rest = Buffer.from(
        masked.replace('Authorization: Basic ', '').replaceAll('*', ''),
        'base64',
      );
      assert.ok(masked.includes('***'), masked);
      assert.ok(
        rest.length <= before.length + after.length + 3,
        `${masked} still holds ${rest.toString()}`,
      );
    }
  }
});

test('a long secret is masked when a program breaks its base64 into lines', () => {
  const secret = Array.from({ length: 60 }, (_, index) => `part-${index}`).join('.');
  for (const width of [1, 20, 64, 76]) {
    const encoded = Buffer.from(secret).toString('base64');
    const text = encoded.replaceAll(new RegExp(`.{${width}}`, 'g'), '$&\n');
    assert.match(maskText([secret], text), /^\*{3}\n?$/);
  }
});

test('nothing is held back but what may be the start of a secret', () => {
  const masker = createMasker(['hunter2']);
  assert.equal(masker.push('Downloading hunt'), 'Downloading ');
  assert.equal(masker.push('s 42%'), 'hunts 42');
  assert.equal(masker.push(' hunter'), '% ');
  assert.equal(masker.push('2'), '***');
  assert.equal(masker.push('h'), '');
  assert.equal(masker.flush(), 'h');
  assert.equal(masker.push('unter2'), 'unter2');
});

test('what is held back is bounded, whatever seems to begin and goes on without an end', () => {
  const secret = 'hunter2-and-more';
  const begun = ['aHVudGVy', '68756e74', 'hunter2', '&#', '\\u', '%68%75'];
  for (const start of begun) {
    for (const more of ['\n', ' ', '0', '\\', '%', "'"]) {
      const masker = createMasker([secret]);
      masker.push(start);
      let given = start.length;
      let out = 0;
      for (let piece = 0; piece < 10; piece += 1) {
        out += masker.push(more.repeat(1000)).length;
        given += 1000;
      }
      assert.ok(given - out < 1000, `${given - out} are held back of ${start}${more}${more}…`);
    }
  }
});

test('a secret made of asterisks gets another mark, one with asterisks inside keeps the usual one', () => {
  assert.equal(maskText(['***'], 'a***b'), 'a•••b');
  assert.equal(maskText(['*b', 'x'], 'xb'), '•••b');
  assert.equal(maskText(['pa*ss'], '<pa*ss>'), '<***>');
});

test('a large text is masked in time linear in its length, also when it is nearly a secret throughout', () => {
  const secret = `${'a'.repeat(5000)}b`;
  const masker = createMasker([secret]);
  let length = 0;
  for (let piece = 0; piece < 200; piece += 1) length += masker.push('a'.repeat(10_000)).length;
  length += masker.flush().length;
  assert.equal(length, 2_000_000);
});
