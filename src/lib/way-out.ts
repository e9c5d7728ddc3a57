import { rename, writeFile } from 'node:fs/promises';
import type { LookupFunction } from 'node:net';
import { join } from 'node:path';
import type { Dispatcher } from 'undici';
import { describeError, type MainsheetError } from './errors.ts';

/** Read when something goes out: most commands send nothing, and `node:tls` reads all certificates there are. */
const net = () => process.getBuiltinModule('node:net');
const tls = () => process.getBuiltinModule('node:tls');

/** How to get out, as the configuration says it. */
export interface WayOutSettings {
  /** Proxies for `https:` and `http:` URLs, whole URLs, with a password where they need one. */
  httpsProxy: string | undefined;
  httpProxy: string | undefined;
  /** What is reached without: `*`, `.example.com`, `host:8080`, `10.0.0.0/8`. */
  noProxy: readonly string[];
  /** To be trusted beside those that are trusted anyway, in PEM. */
  certificates: readonly string[];
}

/**
 * The proxy for a URL, undefined for none. What is on this machine's own loopback is never asked of a proxy; the rest is what curl
 * makes of these variables: an entry of `NO_PROXY` stands for a host and everything below it, with a port for that port only.
 */
export function proxyFor(settings: WayOutSettings, url: URL): string | undefined {
  const proxy = url.protocol === 'https:' ? settings.httpsProxy : settings.httpProxy;
  if (proxy === undefined || isLoopback(url.hostname)) return undefined;
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  const host = bare(url.hostname);
  return settings.noProxy.some((entry) => isMeant(entry, host, port)) ? undefined : proxy;
}

/** Whether a host of a URL is this machine itself. */
export function isLoopback(hostname: string): boolean {
  const host = bare(hostname);
  return host === '::1' || /^(?:.+\.)?localhost$/.test(host) || /^127(?:\.\d+){3}$/.test(host);
}

export function splitNoProxy(text: string): string[] {
  return text.split(/[\s,]+/).filter((entry) => entry !== '');
}

function isMeant(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  const network = /^([\da-f.:]+)\/(\d{1,3})$/i.exec(entry);
  if (network !== null) return isWithin(host, network[1] ?? '', Number(network[2]));
  if (net().isIP(bare(entry)) !== 0) return bare(entry).toLowerCase() === host;
  const [, name = '', only] = /^(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
  if (only !== undefined && only !== port) return false;
  const domain = bare(name.replace(/^\*?\./, ''));
  return domain !== '' && (host === domain || host.endsWith(`.${domain}`));
}

function isWithin(host: string, address: string, bits: number): boolean {
  const { BlockList, isIP } = net();
  const family = isIP(address);
  if (family === 0 || family !== isIP(host) || bits > (family === 4 ? 32 : 128)) return false;
  const kind = family === 4 ? 'ipv4' : 'ipv6';
  const networks = new BlockList();
  networks.addSubnet(address, bits, kind);
  return networks.check(host, kind);
}

/** Without the brackets of an IPv6 address, and the dot that ends a whole name. */
function bare(host: string): string {
  return host
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase();
}

/** All certificates that are trusted when some of our own are: those of Node, of the system, and ours. */
function trusted({ certificates }: WayOutSettings): string[] {
  const { getCACertificates } = tls();
  return [
    ...new Set([...getCACertificates('default'), ...getCACertificates('system'), ...certificates]),
  ];
}

/**
 * A `fetch` that goes out that way. Without proxies, certificates and `lookup` it is the platform's. `lookup` finds the address of
 * a host that is asked without a proxy. An error names the proxy's host, never
 * its password.
 */
export function createFetch(settings: WayOutSettings, lookup?: LookupFunction): typeof fetch {
  const { httpsProxy, httpProxy, certificates } = settings;
  const isPlain = httpsProxy === undefined && httpProxy === undefined && certificates.length === 0;
  if (isPlain && lookup === undefined) return fetch;
  const dispatchers = new Map<string | undefined, Dispatcher>();
  const trust = certificates.length === 0 ? {} : { ca: trusted(settings) };

  return async (input, init = {}) => {
    // Only here, because most installations do without it.
    const undici = await import('undici');
    const url = new URL(input instanceof Request ? input.url : input);
    const proxy = proxyFor(settings, url);
    let dispatcher = dispatchers.get(proxy);
    if (dispatcher === undefined) {
      dispatcher =
        proxy === undefined
          ? new undici.Agent({ allowH2: false, connect: { ...trust, ...(lookup && { lookup }) } })
          : new undici.ProxyAgent({
              uri: proxy,
              allowH2: false,
              // As git does, and because proxies seldom allow tunnels to other ports than 443.
              proxyTunnel: false,
              requestTls: trust,
              proxyTls: trust,
            });
      dispatchers.set(proxy, dispatcher);
    }
    try {
      // The same standard, of which the platform has a copy of its own.
      const options = { ...init, dispatcher } as Parameters<typeof undici.fetch>[1];
      return await undici.fetch(url, options);
    } catch (error) {
      if (proxy === undefined || init.signal?.aborted === true) throw error;
      throw new TypeError(`through the proxy ${new URL(proxy).host}`, { cause: error });
    }
  };
}

/** What is wrong with the way out, when an error says that it is that, and waiting will not mend it. */
export function wayOutProblem(error: unknown): { code: string; hint: string } | undefined {
  const said = describeError(error);
  if (UNTRUSTED.test(said)) return CERTIFICATE_UNTRUSTED;
  return REFUSED_BY_PROXY.test(said) ? PROXY_REFUSED : undefined;
}

/** Whether an error of ours is one of those. */
export function isWayOutProblem({ code }: MainsheetError): boolean {
  return code === CERTIFICATE_UNTRUSTED.code || code === PROXY_REFUSED.code;
}

/** OpenSSL's words, in Node as in git, and GnuTLS's. */
const UNTRUSTED =
  /certificate verif|unable to (?:get (?:local )?issuer|verify the first) certificate|self[- ]signed certificate|problem with the SSL CA cert|SSL certificate problem/i;
const REFUSED_BY_PROXY =
  /Proxy response \((?!5)\d+\)|HTTP code [34]\d\d from proxy|CONNECT tunnel failed, response [34]|returned error: 407|Proxy Authentication Required/i;
const CERTIFICATE_UNTRUSTED = {
  code: 'certificate-untrusted',
  hint: 'set MAINSHEET_CA_FILE to a file with the certificate of the authority that signed it',
};
const PROXY_REFUSED = {
  code: 'proxy-refused',
  hint: 'check HTTPS_PROXY, with the user and password that the proxy wants, and NO_PROXY',
};

/** How git gets out to a server. */
export interface GitWayOut {
  /** A proxy's URL; undefined for none. */
  proxy: string | undefined;
  /** A file with all certificates that are trusted; undefined for those that git trusts by itself. */
  trustedFile: string | undefined;
}

/**
 * How git gets out to `serverUrl`: the same way as every other request. git takes certificates from one file only, so that all
 * that are trusted are put together in one in `directory`.
 */
export async function gitWayOut(
  settings: WayOutSettings,
  serverUrl: string,
  directory: string,
): Promise<GitWayOut> {
  const proxy = proxyFor(settings, new URL(serverUrl));
  if (settings.certificates.length === 0) return { proxy, trustedFile: undefined };
  const trustedFile = join(directory, 'trusted.pem');
  const next = `${trustedFile}.next`;
  await writeFile(next, `${trusted(settings).join('\n')}\n`, { mode: 0o600 });
  await rename(next, trustedFile);
  return { proxy, trustedFile };
}
