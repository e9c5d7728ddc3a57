import { createPrivateKey, X509Certificate } from 'node:crypto';
import { resolve } from 'node:path';
import { describeError } from '../lib/errors.ts';
import { readSecretFile } from './secret-file.ts';
import type { Environment } from './variables.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** How clients of hooks show certificates. */
export interface ClientCertificates {
  /** Who issues them: PEM, one each. */
  authorities: string[];
  /** The header in which trusted proxies tell of them, in small letters. */
  header: string | undefined;
  /** A listener of Mainsheet's own, which takes no client without one. */
  listener: { port: number; certificate: string; key: string } | undefined;
}

/**
 * `MAINSHEET_CLIENT_CA_FILE`, and one or both of `MAINSHEET_CLIENT_CERTIFICATE_HEADER` and `MAINSHEET_TLS_PORT` with
 * `MAINSHEET_TLS_CERT_FILE` and `MAINSHEET_TLS_KEY_FILE`. Problems are sentences that name the variable.
 */
export function readClientCertificates(env: Environment): {
  clientCertificates: ClientCertificates | undefined;
  problems: string[];
} {
  const problems: string[] = [];
  const of = (name: string) => env[`MAINSHEET_${name}`]?.trim() || undefined;
  const [ca, header, port] = ['CLIENT_CA_FILE', 'CLIENT_CERTIFICATE_HEADER', 'TLS_PORT'].map(of);

  function read(name: string): string {
    const path = of(name);
    if (path === undefined) {
      problems.push(`MAINSHEET_${name} is not set: MAINSHEET_TLS_PORT needs it`);
      return '';
    }
    try {
      return readSecretFile(resolve(path));
    } catch (error) {
      problems.push(`MAINSHEET_${name} cannot be used: ${describeError(error)}`);
      return '';
    }
  }

  if (ca === undefined) {
    for (const name of ['CLIENT_CERTIFICATE_HEADER', 'TLS_PORT']) {
      if (of(name) === undefined) continue;
      problems.push(`MAINSHEET_CLIENT_CA_FILE is not set: MAINSHEET_${name} needs it`);
    }
    return { clientCertificates: undefined, problems };
  }
  const authorities = read('CLIENT_CA_FILE').match(CERTIFICATE) ?? [];
  if (problems.length === 0 && !(authorities.length > 0 && authorities.every(isAuthority))) {
    const todo = 'put those of the authorities that issue client certificates into it';
    problems.push(`MAINSHEET_CLIENT_CA_FILE holds no certificates of authorities in PEM: ${todo}`);
  }
  if (header !== undefined && !/^[A-Za-z0-9-]{1,100}$/.test(header)) {
    problems.push(
      'MAINSHEET_CLIENT_CERTIFICATE_HEADER is no header: write it like Ssl-Client-Cert',
    );
  }
  if (header !== undefined && of('TRUSTED_PROXIES') === undefined) {
    const todo = 'set it to the addresses of the proxies that may send the header';
    problems.push(`MAINSHEET_TRUSTED_PROXIES is not set: ${todo}`);
  }
  const listener = port === undefined ? undefined : listenerOf(port, read, problems);
  const settings = { authorities: [...authorities], header: header?.toLowerCase(), listener };
  return { clientCertificates: settings, problems };
}

function listenerOf(
  port: string,
  read: (name: string) => string,
  problems: string[],
): ClientCertificates['listener'] {
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    problems.push('MAINSHEET_TLS_PORT is no port: set a whole number from 0 to 65535');
  }
  const [certificate, key] = [read('TLS_CERT_FILE'), read('TLS_KEY_FILE')];
  if (certificate === '' || key === '') return undefined;
  try {
    if (new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))) {
      return { port: Number(port), certificate, key };
    }
  } catch {
    // OpenSSL's own words do not help, and what it was given is secret.
  }
  problems.push('MAINSHEET_TLS_KEY_FILE is not the key of MAINSHEET_TLS_CERT_FILE, both in PEM');
  return undefined;
}

function isAuthority(pem: string): boolean {
  try {
    return new X509Certificate(pem).ca;
  } catch {
    return false;
  }
}
