import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { listen } from '../../src/app/listen.ts';

test('what keeps it from listening is said with what to do about that', async (t) => {
  const first = createServer();
  const { port } = new URL(await listen(first, '127.0.0.1', 0));
  t.after(() => first.close());
  const taken = listen(createServer(), '127.0.0.1', Number(port));
  await assert.rejects(taken, { code: 'cannot-listen', hint: /stop the program .* PORT/ });
  // An address for examples, which no machine has: https://www.rfc-editor.org/rfc/rfc5737
  const elsewhere = listen(createServer(), '192.0.2.1', 0);
  await assert.rejects(elsewhere, { code: 'cannot-listen', hint: /set HOST to an address of/ });
});
