import type { X509Certificate } from 'node:crypto';
import type { Hook } from '../../model/hook.ts';

/** Why a client with this certificate, or none, is not one that the hook takes; undefined when it is. */
export function whyNotAdmitted(
  wanted: Hook['clientCertificate'],
  certificate: X509Certificate | undefined,
): string | undefined {
  if (wanted === undefined) return undefined;
  if (certificate === undefined) return 'no client certificate that counts was shown';
  const { subject, san, fingerprint } = wanted;
  const named = subjectOf(certificate.subject.split('\n'));
  if (subject.length > 0 && !subject.some((one) => subjectOf(attributesIn(one)) === named)) {
    return `the client certificate is of ${named}`;
  }
  const names = namesIn(certificate.subjectAltName ?? '');
  if (san.length > 0 && !san.some((one) => names.includes(one))) {
    return 'the client certificate has none of the alternative names';
  }
  const digits = certificate.fingerprint256.replaceAll(':', '').toLowerCase();
  if (fingerprint.length > 0 && !fingerprint.includes(digits)) {
    return `the client certificate has the fingerprint ${digits}`;
  }
  return undefined;
}

/** `CN=a,O=b`, split at commas that have no "\" before them. */
function attributesIn(text: string): string[] {
  return text.split(/(?<!\\),/).map((one) => one.trim());
}

/** The same for the same attributes in another order. */
function subjectOf(attributes: readonly string[]): string {
  return attributes.toSorted().join(',');
}

/** `DNS:a, URI:b`. Node quotes a name that holds what could be taken for another: such a one is no name that can be written. */
function namesIn(text: string): string[] {
  return text.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g)?.map((one) => one.trim()) ?? [];
}
