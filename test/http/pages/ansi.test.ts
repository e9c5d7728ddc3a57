import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PLAIN, plainText, renderLine } from '../../../src/http/pages/log/ansi.ts';

const ESC = '\u001B';
const html = (line: string) => renderLine(line, PLAIN).html;

test('colours become classes and never a style', () => {
  assert.equal(html(`${ESC}[1;31mno${ESC}[0m yes`), '<span class="f1 bo">no</span> yes');
  assert.equal(html(`${ESC}[92;40mx`), '<span class="f10 b0">x</span>');
  // Of 256 and of all colours the nearest that the page has.
  assert.equal(html(`${ESC}[38;5;196mx`), '<span class="f9">x</span>');
  assert.equal(html(`${ESC}[38;2;0;120;0mx`), '<span class="f2">x</span>');
  assert.equal(html(`${ESC}[38:2:0:0:255mx`), '<span class="f12">x</span>');
});

test('a colour goes on in the next line until it is taken back', () => {
  const { after } = renderLine(`${ESC}[33mfirst`, PLAIN);
  assert.equal(
    renderLine(`second${ESC}[39m third`, after).html,
    '<span class="f3">second</span> third',
  );
});

test('what a log says is text, whatever it is wrapped in', () => {
  const script = '<img src=x onerror=alert(1)>';
  const escaped = '&lt;img src=x onerror=alert(1)&gt;';
  assert.equal(html(script), escaped);
  assert.equal(html(`${ESC}[31m${script}`), `<span class="f1">${escaped}</span>`);
  assert.equal(html(`<${ESC}[31mscript>`), '&lt;<span class="f1">script&gt;</span>');
});

test('a link of a terminal is its text alone', () => {
  const link = (end: string) =>
    `${ESC}]8;;javascript:alert(1)${end}github.com${ESC}]8;;${end} rest`;
  assert.equal(html(link('\u0007')), 'github.com rest');
  assert.equal(html(link(`${ESC}\\`)), 'github.com rest');
});

test('other sequences, control characters and turned text are left out', () => {
  assert.equal(html(`${ESC}[2J${ESC}[1;1Ha${ESC}]0;title\u0007b${ESC}(Bc\u0008\u0000d`), 'abcd');
  assert.equal(html('a\u202Eb\u2066c\u200Fd'), 'abcd');
  assert.equal(html('tab\tstays'), 'tab\tstays');
});

test('of a line that was written over, what was written last is shown', () => {
  assert.equal(html('10%\r50%\r100%'), '100%');
  assert.equal(html('whole line\r'), 'whole line');
});

test('an escape that is cut off, or never ends, takes nothing with it but itself', () => {
  assert.equal(html(`a${ESC}`), 'a');
  assert.equal(html(`a${ESC}[3`), 'a');
  // A million numbers took an hour to be read.
  assert.equal(html(`a${ESC}[${'1;'.repeat(50)}1mb`), 'ab');
});

test('what is searched is what is seen', () => {
  assert.equal(plainText(`${ESC}[1mbo${ESC}[0mld\u202E <b>`), 'bold <b>');
});
