import { readFileSync, statSync } from 'node:fs';

/** More than any key needs; what steps get as environment variables may not be longer than 128 KiB anyway. */
const MAX_BYTES = 64 * 1024;

/**
 * The content of a file that holds a secret, without one line break at its end. Links are followed: that is how
 * Kubernetes mounts secrets. Throws an Error that names the path.
 */
export function readSecretFile(path: string): string {
  const status = statSync(path);
  if (!status.isFile()) throw new Error(`${path} is not a regular file`);
  if (status.size > MAX_BYTES) {
    throw new Error(`${path} has ${status.size} bytes: a secret has at most ${MAX_BYTES}`);
  }
  return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
}
