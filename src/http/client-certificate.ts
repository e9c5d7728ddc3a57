import { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';

/** Extended key usage "TLS client": https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.12 */
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

const ONE = /^-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*$/;

/** The certificate that a client has proved to have; undefined for one that has shown none that counts. */
export type ClientCertificate = (request: IncomingMessage) => X509Certificate | undefined;

/**
 * Over TLS it is the connection's, which was verified. Otherwise it is what a trusted proxy has put into the header that the
 * operator names: whole, and issued by one of `authorities` itself. From any other address the header counts for nothing.
 */
export function createClientCertificate(deps: {
  /** PEM, one certificate each. */
  authorities: readonly string[];
  /** In small letters; undefined: none counts. */
  header: string | undefined;
  isProxy: (address: string) => boolean;
  clock: { now(): number };
}): ClientCertificate {
  const authorities = deps.authorities.map((pem) => new X509Certificate(pem));

  function isIssued(certificate: X509Certificate): boolean {
    const now = deps.clock.now();
    const isValid = (one: X509Certificate) =>
      Date.parse(one.validFrom) <= now && now <= Date.parse(one.validTo);
    const usage = certificate.keyUsage as readonly string[] | undefined;
    if (!isValid(certificate) || usage?.includes(CLIENT_AUTH) === false) return false;
    return authorities.some(
      (authority) =>
        authority.ca &&
        isValid(authority) &&
        certificate.checkIssued(authority) &&
        certificate.verify(authority.publicKey),
    );
  }

  return ({ socket, headers }) => {
    if (socket instanceof TLSSocket) {
      return socket.authorized ? socket.getPeerX509Certificate() : undefined;
    }
    if (deps.header === undefined || !deps.isProxy(socket.remoteAddress ?? '')) return undefined;
    const certificate = readCertificate(String(headers[deps.header] ?? ''));
    return certificate !== undefined && isIssued(certificate) ? certificate : undefined;
  };
}

/**
 * Percent-encoded PEM (nginx), the element `Cert` of Envoy's header, or base64 (RFC 9440, Traefik). Undefined for anything else,
 * several certificates of several proxies among it.
 */
function readCertificate(text: string): X509Certificate | undefined {
  const element = /^(?:[^",]|"[^"]*")*?(?:^|;)Cert="([^"]+)"(?:[^",]|"[^"]*")*$/i.exec(text)?.[1];
  try {
    const plain = decodeURIComponent(element ?? text);
    if (ONE.test(plain)) return new X509Certificate(plain);
    const base64 = plain.replace(/^:(.*):$/, '$1');
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined;
    return new X509Certificate(Buffer.from(base64, 'base64'));
  } catch {
    return undefined;
  }
}
