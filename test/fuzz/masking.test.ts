import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createMasker, maskText } from '../../src/lib/masking.ts';
import { ENCODERS, inLines } from './encodings.ts';
import { runs } from './runs.ts';

/** A character that stands in no text around a secret, so that every trace of one is a trace of the secret. */
const secretCharacters = fc.constantFrom(...Array.from(`ABCDEFGXYZ0123"'\\/+&=%?#  {}:;~äÖß€日😀`));
const secrets = fc
  .string({ unit: secretCharacters, minLength: 12, maxLength: 40 })
  .filter((secret) => secret.trim().length >= 12);
const surroundings = fc.string({
  unit: fc.constantFrom('l', 'm', 'n', '.', '-', '\n'),
  maxLength: 12,
});

test('nothing of a secret shows, however a program writes it and wherever the output is cut', () => {
  const scenes = fc.record({
    secret: secrets,
    before: surroundings,
    after: surroundings,
    encoder: fc.constantFrom(...Object.keys(ENCODERS)),
    choices: fc.array(fc.nat(1000), { minLength: 1, maxLength: 80 }),
    cuts: fc.array(fc.nat(600), { maxLength: 6 }),
  });
  fc.assert(
    fc.property(scenes, ({ secret, before, after, encoder, choices, cuts }) => {
      let turn = 0;
      const choose = () => choices[turn++ % choices.length] ?? 0;
      const encoded = ENCODERS[encoder]?.(secret, choose) ?? '';
      const output = inPieces([secret], before + encoded + after, cuts);
      assert.equal(
        output,
        maskText([secret], before + encoded + after),
        'the cuts made a difference',
      );
      // White space around it is not the secret's, and of quotes at its edges one may stay.
      const left = output.slice(before.length, output.length - after.length);
      assert.match(left, /\*\*\*/);
      assert.ok(
        left.replaceAll(/[*'"\\$]/g, '').length <=
          8 + LOST * (secret.length - secret.trim().length),
        output,
      );
    }),
    runs(2000),
  );
});

test('text in which no secret is stands in the log as it was written', () => {
  const encoders = fc.constantFrom(...Object.keys(ENCODERS));
  const other = fc.string({
    unit: fc.constantFrom(...Array.from('abcdef0189 "\'\\\\%+&;#xun$/=\n')),
    maxLength: 120,
  });
  const scenes = fc.record({
    secret: secrets,
    text: other,
    encoder: encoders,
    choices: fc.array(fc.nat(1000), { minLength: 1, maxLength: 20 }),
    cuts: fc.array(fc.nat(200), { maxLength: 6 }),
  });
  fc.assert(
    fc.property(scenes, ({ secret, text, encoder, choices, cuts }) => {
      let turn = 0;
      const encoded = ENCODERS[encoder]?.(text, () => choices[turn++ % choices.length] ?? 0) ?? '';
      for (const written of [text, encoded])
        assert.equal(inPieces([`Q${secret}`], written, cuts), written);
    }),
    runs(1000),
  );
});

test('nothing of a secret can be read back from base64, wherever in the data it stands', () => {
  const scenes = fc.record({
    secret: secrets,
    before: surroundings,
    after: surroundings,
    alphabet: fc.constantFrom('base64' as const, 'base64url' as const),
    width: fc.integer({ min: 1, max: 80 }),
    cuts: fc.array(fc.nat(300), { maxLength: 6 }),
  });
  fc.assert(
    fc.property(scenes, ({ secret, before, after, alphabet, width, cuts }) => {
      const output = inPieces(
        [secret],
        inLines(Buffer.from(before + secret + after).toString(alphabet), width),
        cuts,
      );
      const bytes = Buffer.from(secret);
      for (const rest of output.split('*')) {
        for (let shift = 0; shift < 4; shift += 1) {
          const read = Buffer.from(rest.slice(shift), 'base64').toString('latin1');
          for (let at = 0; at + 3 <= bytes.length; at += 1) {
            const part = bytes.toString('latin1', at, at + 3);
            assert.ok(!read.includes(part), `${JSON.stringify(part)} can be read in ${output}`);
          }
        }
      }
    }),
    runs(1500),
  );
});

test('of a secret with lines none that says something shows, indented or with other ends of lines', () => {
  const lines = fc.array(
    fc
      .string({ unit: secretCharacters, minLength: 5, maxLength: 20 })
      .filter((line) => line.trim().length >= 4),
    {
      minLength: 2,
      maxLength: 5,
    },
  );
  const scenes = fc.record({
    lines,
    end: fc.constantFrom('\n', '\r\n'),
    printedEnd: fc.constantFrom('\n', '\r\n', '\n  ', '\nllm: '),
    cuts: fc.array(fc.nat(200), { maxLength: 6 }),
  });
  fc.assert(
    fc.property(scenes, ({ lines: all, end, printedEnd, cuts }) => {
      const output = inPieces([all.join(end)], all.join(printedEnd), cuts);
      for (const line of all) assert.ok(!output.includes(line.trim()), output);
    }),
    runs(1000),
  );
});

test('several secrets that overlap, hold or follow each other leave nothing of any of them', () => {
  const letters = fc.string({ unit: fc.constantFrom('A', 'B', 'C'), minLength: 1, maxLength: 5 });
  /** Parts of one text, so that they overlap in it. */
  const scenes = fc
    .string({ unit: fc.constantFrom('A', 'B', 'C', 'l', '*'), minLength: 1, maxLength: 40 })
    .chain((text) =>
      fc.record({
        text: fc.constant(text),
        known: fc.array(
          fc.oneof(
            letters,
            fc
              .tuple(fc.nat(39), fc.integer({ min: 1, max: 12 }))
              .map(([at, length]) => text.slice(at, at + length)),
          ),
          { minLength: 1, maxLength: 5 },
        ),
        cuts: fc.array(fc.nat(40), { maxLength: 5 }),
      }),
    );
  fc.assert(
    fc.property(scenes, ({ text, known, cuts }) => {
      const output = inPieces(known, text, cuts);
      for (const secret of known) {
        if (secret !== '') assert.ok(!output.includes(secret), `${secret} is in ${output}`);
      }
      // What belongs to no secret stays, in its order.
      const kept = uncovered(text, known);
      let at = 0;
      for (const character of kept) {
        at = output.indexOf(character, at) + 1;
        assert.ok(at > 0, `${kept} is not in ${output}`);
      }
    }),
    runs(3000),
  );
});

test('a masker holds back no more than its longest form, and gives out no more than it was given and its marks', () => {
  const scenes = fc.record({
    secret: fc.string({ unit: fc.constantFrom('A', 'B'), minLength: 8, maxLength: 60 }),
    pieces: fc.array(fc.string({ unit: fc.constantFrom('A', 'B', 'l'), maxLength: 80 }), {
      maxLength: 30,
    }),
  });
  fc.assert(
    fc.property(scenes, ({ secret, pieces }) => {
      const masker = createMasker([secret]);
      let given = 0;
      let out = '';
      for (const piece of pieces) {
        given += piece.length;
        out += masker.push(piece);
        // A masked stretch of any length is one mark of three characters: only what is not masked can be counted.
        const held = given - out.length;
        if (!out.includes('*')) assert.ok(held <= 2 * secret.length + 4, `${held} are held back`);
      }
      out += masker.flush();
      assert.ok(out.length <= 3 * given);
    }),
    runs(1000),
  );
});

/** What one character of a secret's white space may be written as, at most. */
const LOST = 14;

function inPieces(known: readonly string[], text: string, cuts: readonly number[]): string {
  const masker = createMasker(known);
  const borders = [...new Set([...cuts.map((cut) => cut % (text.length + 1)), text.length])];
  let output = '';
  let start = 0;
  for (const end of borders.sort((a, b) => a - b)) {
    output += masker.push(text.slice(start, end));
    start = end;
  }
  return output + masker.flush();
}

/** The characters of a text that belong to no occurrence of a secret. Short secrets have no other forms than themselves. */
function uncovered(text: string, known: readonly string[]): string {
  const hidden = new Set<number>();
  for (const secret of known) {
    if (secret === '') continue;
    for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + 1)) {
      for (let index = at; index < at + secret.length; index += 1) hidden.add(index);
    }
  }
  return text
    .split('')
    .filter((_, index) => !hidden.has(index))
    .join('');
}
