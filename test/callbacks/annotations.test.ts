import assert from 'node:assert/strict';
import { test } from 'node:test';
import { annotationsIn } from '../../src/callbacks/annotations.ts';

const shape = (log: string) =>
  annotationsIn(log).map(
    ({ path, start_line, annotation_level, message }) =>
      `${annotation_level} ${path}:${start_line} ${message}`,
  );

test('problems that programs name with file and line are found', () => {
  assert.deepEqual(
    shape(`building
::error file=src/app.js,line=10,col=4,title=Oh::the semicolon is missing
::warning line=3,file=a.ts::old
src/main.c:12:5: error: expected ';' before 'return'
./lib/x.go:7: fatal error: no such file
src/app.ts(3,7): error TS2304: Cannot find name 'x'.
src/app.ts:4:1 - error TS1005: ';' expected.
done`),
    [
      'failure src/app.js:10 the semicolon is missing',
      'warning a.ts:3 old',
      "failure src/main.c:12 expected ';' before 'return'",
      'failure lib/x.go:7 no such file',
      "failure src/app.ts:3 TS2304: Cannot find name 'x'.",
      "failure src/app.ts:4 ';' expected.",
    ],
  );
});

test('other lines, and files outside the repository, are none', () => {
  assert.deepEqual(
    shape(`error: it failed
12:30: error: no file
::error::no file either
::error file=a.js::no line
/etc/passwd:1: error: x
../other/a.c:1: error: x
a/../../b.c:1: error: x
C:\\a.c:1: error: x
a.c:0: error: x
${'a'.repeat(5000)}.c:1: error: x`),
    [],
  );
});

test('the same problem is named once, and no more than fifty are', () => {
  const line = (at: number) => `a.c:${at}: error: x`;
  assert.equal(annotationsIn([line(1), line(1)].join('\n')).length, 1);
  const many = Array.from({ length: 60 }, (_, index) => line(index + 1));
  assert.equal(annotationsIn(many.join('\n')).length, 50);
});
