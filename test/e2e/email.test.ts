import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { SMTPServer } from 'smtp-server';
import { until } from '../support/until.ts';
import { createWorld, SITE } from '../support/world.ts';

test('the end of a run is mailed, also when the mail server was away and the controller is killed meanwhile', async (t) => {
  const mails: { to: string[]; source: string }[] = [];
  let [isAway, refused] = [true, 0];
  const server = new SMTPServer({
    authOptional: true,
    hideSTARTTLS: true,
    onData(stream, { envelope }, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        if (isAway) {
          refused += 1;
          done(Object.assign(new Error('later'), { responseCode: 451 }));
          return;
        }
        const to = envelope.rcptTo.map(({ address }) => address);
        mails.push({ to, source: Buffer.concat(chunks).toString() });
        done();
      });
    },
  });
  const listening = server.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  t.after(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const world = await createWorld({
    specs: {
      'mailed.yaml': `
name: mailed
repository: ${SITE}
on: { push: { branches: [main] } }
notify: [{ email: { to: [team@acme.example], text: 'by \${{ run.spec }}' }, on: [succeeded] }]
steps: [{ run: 'true' }]
`,
    },
    env: {
      MAINSHEET_SMTP_URL: `smtp://127.0.0.1:${(listening.address() as AddressInfo).port}`,
      MAINSHEET_SMTP_FROM: 'Mainsheet <deploy@acme.example>',
    },
  });
  t.after(() => world.close());

  const sha = await world.sample.commit({ message: 'mailed' });
  await world.sample.push('main');
  const run = await world.ended(sha);
  await until('the mail is refused for now', () => refused > 0);
  await world.controller.kill();
  isAway = false;
  await world.controller.restart();
  await world.settled();
  assert.deepEqual(
    mails.map(({ to }) => to),
    [['team@acme.example']],
  );
  const source = (mails[0]?.source ?? '').replaceAll('=\r\n', '').replaceAll('=3D', '=');
  assert.match(source, /^From: Mainsheet <deploy@acme\.example>/m);
  assert.ok(source.includes(`https://mainsheet.example/runs/${run.id}`));
});
