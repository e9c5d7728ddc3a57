import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cleanJson, cleanLine, cleanText, createLogFilter } from '../../src/lib/clean-text.ts';

const ESC = '\u001b';

function filtered(pieces: string[], colour = true): string {
  const filter = createLogFilter({ colour });
  return pieces.map((piece) => filter.push(piece)).join('') + filter.flush();
}

test('colours in a log stay, and are switched off at its end', () => {
  assert.equal(
    filtered([`${ESC}[31mred${ESC}[0m plain ${ESC}[1;38:5:208mbold`]),
    `${ESC}[31mred${ESC}[0m plain ${ESC}[1;38:5:208mbold${ESC}[0m`,
  );
});

test('without colours a log has no escape sequence at all', () => {
  assert.equal(filtered([`${ESC}[31mred${ESC}[0m plain`], false), 'red plain');
});

test('a log cannot move the cursor, clear the screen, set the title or write to the clipboard', () => {
  const hostile = `a${ESC}[2J${ESC}[1;1Hb${ESC}]0;title\u0007c${ESC}]52;c;ZWNobw==${ESC}\\d\u009b2Je\u0008f`;
  assert.equal(filtered([hostile]), 'ab]0;titlec]52;c;ZWNobw==\\d2Jef');
});

test('a carriage return cannot write over the start of its line', () => {
  assert.equal(filtered(['10%\r', '20%\r', '\nend\r\n']), '10%\n20%\nend\n');
});

test('a sequence that is cut in two is judged as one', () => {
  assert.equal(filtered([`a${ESC}`, '[3', `1mb${ESC}[`, '2Jc', ESC]), `a${ESC}[31mbc${ESC}[0m`);
});

test('whatever a log holds and wherever it is cut, only colours reach the terminal', () => {
  const alphabet = fc.constantFrom(
    ESC,
    '[',
    ']',
    'm',
    'J',
    ';',
    '3',
    '1',
    '\r',
    '\n',
    '\u009b',
    'x',
  );
  fc.assert(
    fc.property(fc.array(fc.string({ unit: alphabet, maxLength: 12 })), (pieces) => {
      const output = filtered(pieces);
      assert.equal(output, filtered([pieces.join('')]), 'the cuts make no difference');
      const rest = output.replaceAll(new RegExp(`${ESC}\\[[0-9;:]*m`, 'g'), '');
      assert.doesNotMatch(rest.replaceAll('\n', ''), /\p{Cc}/u);
    }),
  );
});

test('text without control characters is left as it is', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('ä', '🙂', 'a', ' ', '\n', '\t', '[') }),
      (text) => {
        assert.equal(filtered([text]), text);
        assert.equal(cleanText(text), text);
      },
    ),
  );
});

test('a line stays one line, whatever is in it', () => {
  assert.equal(cleanLine(` a\nb\r\nc\u2028d\t${ESC}[2Ke\u202e `), 'a b c d e');
});

test('JSON on a terminal means the same and holds nothing that the terminal obeys', () => {
  const value = { reason: `${ESC}[2J \u009b2J \u202e ok` };
  const text = cleanJson(value);
  assert.deepEqual(JSON.parse(text), value);
  assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\u202e]/u);
});
