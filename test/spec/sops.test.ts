import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { before, test } from 'node:test';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { openSops } from '../../src/spec/sops.ts';
import { sealWithSops } from '../support/sops.ts';

let identity = '';
let sealed = '';
const SECRETS = { API_TOKEN: 'tok: "en"\nof two lines', DB_PASSWORD: 'ü', EMPTY: '' };
before(async () => {
  identity = await generateIdentity();
  sealed = await sealWithSops(SECRETS, await identityToRecipient(identity));
});

test('what SOPS has encrypted for age is decrypted with any of several keys', async () => {
  const keys = [await generateIdentity(), identity];
  assert.deepEqual(Object.fromEntries(await openSops(sealed, keys)), SECRETS);
});

test('a file that sops 3.9.4 has made is decrypted: texts of several lines, numbers, comments, what is empty', async () => {
  const file = new URL('fixtures/made-by-sops.sops.yaml', import.meta.url);
  // Made for this test with age-keygen, and opens nothing else.
  const key = 'AGE-SECRET-KEY-1SY2VGH95UHLPS5JNCKT50CQ4V540JZ4H375FGDRL8FSA8S8XKTLQ4J4N04';
  assert.deepEqual(Object.fromEntries(await openSops(await readFile(file, 'utf8'), [key])), {
    API_TOKEN: 'tok: en',
    DB_PASSWORD: 'ü',
    MANY: 'two\nlines\n',
    PORT: '5432',
    ON: 'True',
    EMPTY: '',
  });
});

const valueOf = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(sealed)?.[1] ?? '';
const withValue = (name: string, value: string) =>
  sealed.replace(new RegExp(`^${name}: .*$`, 'm'), () => `${name}: ${value}`);

for (const [what, change, problem] of [
  [
    'a value in the place of another',
    () => withValue('API_TOKEN', valueOf('DB_PASSWORD')),
    'API_TOKEN was changed',
  ],
  [
    'a changed byte',
    () =>
      withValue(
        'DB_PASSWORD',
        valueOf('DB_PASSWORD').replace(
          /data:(.)/,
          (_, first) => `data:${first === 'A' ? 'B' : 'A'}`,
        ),
      ),
    'DB_PASSWORD was changed',
  ],
  ['a value that was removed', () => sealed.replace(/^DB_PASSWORD: .*\n/m, ''), 'added, removed'],
  [
    'a value that is not encrypted',
    () => withValue('EMPTY', 'plain-text'),
    'EMPTY is not an encrypted',
  ],
  [
    'a name that no spec can write',
    () => sealed.replace('EMPTY:', 'em-pty:'),
    '"em-pty" is no name',
  ],
  ['no SOPS at all', () => 'API_TOKEN: x\n', 'API_TOKEN is not an encrypted'],
  ['another recipient', () => sealed, 'no key of MAINSHEET_SOPS_AGE_KEY'],
  ['a list', () => '- a\n', 'no map'],
  ['a second document', () => `${sealed}---\n${sealed}`, 'no map'],
  ['a name that stands twice', () => sealed.replace(/^EMPTY: .*\n/m, '$&$&'), '"EMPTY" twice'],
  ['more YAML than is read at once', () => '}}'.repeat(100_000), 'more than 65536'],
] as const) {
  test(`refused, without a value in the message: ${what}`, async () => {
    const keys = [what === 'another recipient' ? await generateIdentity() : identity];
    await assert.rejects(openSops(change(), keys), (error: Error) => {
      assert.ok(error.message.includes(problem), error.message);
      assert.doesNotMatch(error.message, /plain-text|tok:/);
      return true;
    });
  });
}
