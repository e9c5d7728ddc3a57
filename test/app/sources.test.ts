import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { openSources } from '../../src/app/sources.ts';
import { checkSpecs } from '../../src/commands/doctor-settings.ts';
import { readConfig } from '../../src/config.ts';
import { systemClock } from '../../src/lib/clock.ts';

const HOOK = 'kind: hook\nid: a\nsender: standard-webhooks\nsecrets: KEY\n';
const SPEC =
  'name: x\nrepository: acme/shop\non: { hook: { id: a, ref: main } }\nsteps: [{ run: x }]\n';

test('a public key of the wrong length is refused when the hook is loaded, and by doctor, without being told', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'mainsheet-sources-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const specs = join(directory, 'specs');
  await mkdir(specs);
  await writeFile(join(specs, 'a.yaml'), `${HOOK}---\n${SPEC}`);

  async function problemsWith(bytes: number): Promise<string[]> {
    const key = `whpk_${Buffer.alloc(bytes, 'k').toString('base64')}`;
    const environment = {
      MAINSHEET_DATA_DIR: join(directory, 'data'),
      MAINSHEET_DEPLOYMENTS: specs,
      MAINSHEET_SECRET_KEY: key,
      GITHUB_WEBHOOK_SECRET: 'a secret of more than sixteen',
    };
    const read = readConfig(environment, { isTerminal: false });
    assert.ok('config' in read);
    const { config } = read;
    const { catalog } = await openSources({
      config,
      environment,
      github: {} as never,
      repositories: {} as never,
      tellSpecs: undefined,
      clock: systemClock,
      logger: pino({ level: 'silent' }),
    });
    const { problems } = catalog.current();
    const failed = (await checkSpecs(config)).filter(({ state }) => state === 'fail');
    assert.equal(failed.length, problems.length);
    assert.ok(!JSON.stringify([problems, failed]).includes(key));
    return problems.map(({ file, line, message }) => `${file}:${line}: ${message}`);
  }

  assert.deepEqual(await problemsWith(31), [
    'a.yaml:1: the secret KEY of the hook a begins with whpk_ and is no public key: 32 bytes in base64 have to follow',
  ]);
  assert.deepEqual(await problemsWith(32), []);
});
