import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod';
import { tell } from '../../src/http/api/tell.ts';

test('an answer has what its schema names: times in ISO 8601, null for what is not there, and nothing else', () => {
  const time = z.iso.datetime().describe('when');
  const step = z.object({ name: z.string(), endedAt: time.nullable() });
  const schema = z.object({
    at: time,
    next: z.array(time),
    steps: z.array(step),
    hint: z.string().optional(),
  });
  const ended = { name: 'make', endedAt: 1000, kept: 'secret' };
  const told = {
    at: 0,
    next: [1000],
    steps: [ended, { name: 'test', endedAt: undefined }],
    by: 'me',
  };
  const iso = '1970-01-01T00:00:01.000Z';
  assert.equal(
    JSON.stringify(tell(schema, told)),
    JSON.stringify({
      at: '1970-01-01T00:00:00.000Z',
      next: [iso],
      steps: [
        { name: 'make', endedAt: iso },
        { name: 'test', endedAt: null },
      ],
    }),
  );
});
