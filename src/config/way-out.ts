import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describeError } from '../lib/errors.ts';
import { splitNoProxy, type WayOutSettings } from '../lib/way-out.ts';
import type { Environment } from './variables.ts';

/** What each program on its own would listen to, and only one of ours does. */
const HALF = {
  NODE_EXTRA_CA_CERTS: 'is not heard by git',
  GIT_SSL_CAINFO: 'is heard by git only',
};
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * How everything that Mainsheet sends gets out: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in capitals or not, as
 * other programs know them, and `MAINSHEET_CA_FILE`. Problems and warnings are sentences that name the variable; proxies are not
 * quoted, because they may hold a password.
 */
export function readWayOut(env: Environment): {
  wayOut: WayOutSettings;
  problems: string[];
  warnings: string[];
} {
  const problems: string[] = [];
  const proxy = (...names: string[]) => {
    const name = names
      .flatMap((one) => [one.toLowerCase(), one])
      .find((one) => (env[one]?.trim() ?? '') !== '');
    if (name === undefined) return undefined;
    const url = readProxy(env[name] ?? '');
    if (url === undefined) {
      problems.push(`${name} is no http or https proxy: write it like http://proxy.example:3128`);
    }
    return url;
  };
  const wayOut: WayOutSettings = {
    httpsProxy: proxy('HTTPS_PROXY', 'ALL_PROXY'),
    httpProxy: proxy('HTTP_PROXY', 'ALL_PROXY'),
    noProxy: splitNoProxy(env['no_proxy'] ?? env['NO_PROXY'] ?? ''),
    certificates: readCertificates(env, problems),
  };
  const warnings = Object.entries(HALF)
    .filter(([name]) => wayOut.certificates.length === 0 && (env[name] ?? '') !== '')
    .map(([name, what]) => `${name} ${what}: set MAINSHEET_CA_FILE, which serves everything`);
  return { wayOut, problems: [...new Set(problems)], warnings };
}

function readProxy(text: string): string | undefined {
  const url = URL.parse(text.includes('://') ? text.trim() : `http://${text.trim()}`);
  const isProxy = url !== null && /^https?:$/.test(url.protocol) && url.hostname !== '';
  return isProxy && `${url.search}${url.hash}` === '' && url.pathname === '/'
    ? url.href
    : undefined;
}

function readCertificates(env: Environment, problems: string[]): string[] {
  const path = env['MAINSHEET_CA_FILE']?.trim() ?? '';
  if (path === '') return [];
  try {
    const found = readFileSync(resolve(path), 'utf8').match(CERTIFICATE) ?? [];
    const read = found.map((certificate) => new X509Certificate(certificate).toString());
    if (read.length > 0) return read;
    problems.push('MAINSHEET_CA_FILE holds no certificate: it is a file of certificates in PEM');
  } catch (error) {
    problems.push(
      `MAINSHEET_CA_FILE cannot be used: ${describeError(error)}: name a file of certificates in PEM`,
    );
  }
  return [];
}
