import { hkdfSync } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod';
import { MainsheetError } from '../lib/errors.ts';
import { createSeal, SEAL_KEY_BYTES, type Seal } from '../lib/seal.ts';
import { readSecretFile } from './secret-file.ts';

const storedApp = z.object({
  appId: z.string(),
  clientId: z.string(),
  clientSecret: z.string(),
  privateKey: z.string(),
  webhookSecret: z.string(),
  /** The App's page on GitHub. */
  url: z.string(),
});

/** A GitHub App as `/setup` has made it. */
export type StoredApp = z.infer<typeof storedApp>;

/** Where `/setup` keeps the App: in the data directory, for this user only. */
export function storedAppFile(dataDir: string): string {
  return join(dataDir, 'github-app.json');
}

const CONTEXT = 'github-app';

/** The text of that file: sealed with the first key, readable without a key. */
export function writtenApp(app: StoredApp, keys: readonly string[]): string {
  const [key] = keys;
  const text = JSON.stringify(app, undefined, 2);
  if (key === undefined) return `${text}\n`;
  return `${JSON.stringify({ sealed: sealOf(key).close(text, CONTEXT) })}\n`;
}

/**
 * The App that `/setup` has made; undefined when it has made none. Any of `keys` may have sealed it. Throws MainsheetError
 * `stored-app`.
 */
export function readStoredApp(dataDir: string, keys: readonly string[]): StoredApp | undefined {
  const file = storedAppFile(dataDir);
  const text = textOf(file);
  if (text === undefined) return undefined;
  try {
    const found = z.union([z.object({ sealed: z.string() }), storedApp]).parse(JSON.parse(text));
    return 'sealed' in found ? storedApp.parse(JSON.parse(opened(found.sealed, keys))) : found;
  } catch (cause) {
    throw new MainsheetError('stored-app', `the GitHub App in ${file} cannot be read`, {
      cause: cause instanceof MainsheetError ? cause : undefined,
      hint: 'set MAINSHEET_SESSION_KEY to what it was sealed with, or remove that file and set the App up again',
    });
  }
}

function textOf(file: string): string | undefined {
  try {
    return readSecretFile(file);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function opened(sealed: string, keys: readonly string[]): string {
  for (const key of keys) {
    const text = sealOf(key).open(sealed, CONTEXT);
    if (text !== undefined) return text;
  }
  throw new MainsheetError('stored-app', 'none of the keys in MAINSHEET_SESSION_KEY has sealed it');
}

function sealOf(key: string): Seal {
  const derived = hkdfSync('sha256', key, '', `mainsheet ${CONTEXT}`, SEAL_KEY_BYTES);
  return createSeal(Buffer.from(derived));
}
