import { createDecipheriv, createHash, timingSafeEqual } from 'node:crypto';
import { isMap, isPair, isScalar, LineCounter } from 'yaml';
import { MainsheetError } from '../lib/errors.ts';
import { SECRET_NAME } from '../lib/names.ts';
import { readDocuments } from './read-yaml.ts';

/** Secrets in one file. */
const MOST_SECRETS = 1000;

/** `ENC[AES256_GCM,data:…,iv:…,tag:…,type:str]`, as SOPS writes a value. */
const SEALED =
  /^ENC\[AES256_GCM,data:([A-Za-z\d+/=]*),iv:([A-Za-z\d+/=]+),tag:([A-Za-z\d+/=]+),type:(?:str|int|float|bool|bytes)\]$/;

/**
 * The secrets of a YAML file that SOPS has encrypted for age (https://getsops.io): a map of names to values, each of them encrypted.
 * `identities`: keys `AGE-SECRET-KEY-…`, any of which may open it. Throws MainsheetError `sops-unreadable`, whose message has no value.
 */
export async function openSops(
  text: string,
  identities: readonly string[],
): Promise<Map<string, string>> {
  const { values, meta } = read(text);
  const key = await dataKey(meta, identities);
  const secrets = new Map<string, string>();
  const hash = createHash('sha512');
  for (const [name, sealed] of values) {
    // The name is sealed with its value, so that none can be put in another's place.
    const value = sealed === '' ? Buffer.alloc(0) : open(key, sealed, `${name}:`, name);
    hash.update(value);
    secrets.set(name, value.toString('utf8'));
  }
  // Nor can one be left out.
  const mac = open(key, textOf(meta, 'mac'), textOf(meta, 'lastmodified'), 'sops.mac');
  const own = Buffer.from(hash.digest('hex').toUpperCase());
  if (mac.length !== own.length || !timingSafeEqual(mac, own)) {
    throw unreadable('values were added, removed or put into another order since it was encrypted');
  }
  return secrets;
}

function read(text: string): { values: [string, string][]; meta: Record<string, unknown> } {
  const read = readDocuments('', text, new LineCounter());
  if ('problem' in read) throw unreadable(read.problem.message);
  const [document, second] = read.list;
  const [error] = document?.errors ?? [];
  if (error !== undefined) throw unreadable('it is no YAML', error);
  if (document === undefined || second !== undefined || !isMap(document.contents)) {
    throw unreadable('it is no map of names to values');
  }
  const values: [string, string][] = [];
  const names = new Set<string>();
  let meta: unknown;
  for (const pair of document.contents.items) {
    if (!isPair(pair) || !isScalar(pair.key)) continue;
    const name = String(pair.key.value);
    if (names.has(name)) throw unreadable(`it has "${name.slice(0, 100)}" twice`);
    names.add(name);
    if (name === 'sops') {
      meta = document.get('sops', true);
      continue;
    }
    if (!SECRET_NAME.test(name)) {
      throw unreadable(`"${name.slice(0, 100)}" is no name of a secret: use A-Z, 0-9 and _`);
    }
    const value = isScalar(pair.value) ? pair.value.value : undefined;
    // SOPS leaves an empty text as it is.
    if (typeof value !== 'string' || (value !== '' && !SEALED.test(value))) {
      throw unreadable(
        `the value of ${name} is not an encrypted text: let SOPS encrypt all of them`,
      );
    }
    values.push([name, value]);
  }
  if (values.length > MOST_SECRETS) throw unreadable(`it has more than ${MOST_SECRETS} secrets`);
  if (!isMap(meta)) throw unreadable('it has no "sops": encrypt it with sops');
  return { values, meta: meta.toJSON() as Record<string, unknown> };
}

/** The key of the file's values, which each recipient's key opens. */
async function dataKey(
  meta: Record<string, unknown>,
  identities: readonly string[],
): Promise<Uint8Array> {
  if (meta['mac_only_encrypted'] === true) throw unreadable('it says mac_only_encrypted');
  const { age } = meta;
  const recipients = Array.isArray(age) ? (age as unknown[]) : [];
  if (recipients.length === 0) throw unreadable('it is not encrypted for age');
  // Loaded where it is needed: few have such files.
  const { armor, Decrypter } = await import('age-encryption');
  const decrypter = new Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity);
  for (const recipient of recipients) {
    const sealed = textOf(recipient, 'enc');
    const key = await decrypter.decrypt(armor.decode(sealed)).catch(() => undefined);
    if (key?.length === 32) return key;
  }
  throw unreadable('no key of MAINSHEET_SOPS_AGE_KEY opens it');
}

function open(key: Uint8Array, sealed: string, about: string, name: string): Buffer {
  const [, data = '', iv = '', tag = ''] = SEALED.exec(sealed) ?? [];
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64'), {
      authTagLength: 16,
    });
    decipher.setAAD(Buffer.from(about));
    decipher.setAuthTag(Buffer.from(tag, 'base64'));
    return Buffer.concat([decipher.update(Buffer.from(data, 'base64')), decipher.final()]);
  } catch (cause) {
    throw unreadable(`the value of ${name} was changed since it was encrypted`, cause);
  }
}

function textOf(value: unknown, key: string): string {
  const found: unknown =
    typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
  return typeof found === 'string' ? found : '';
}

function unreadable(why: string, cause?: unknown): MainsheetError {
  return new MainsheetError('sops-unreadable', `the secrets cannot be decrypted: ${why}`, {
    cause,
  });
}
