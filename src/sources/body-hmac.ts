import type { Incoming, Source } from './contract.ts';
import { hmacCheck, required, signatureBytes, unsigned } from './signature.ts';

/** A sender that signs the body alone, with HMAC-SHA256 in one header. The first of `headers` that is there counts. */
export function bodyHmac(sender: {
  headers: readonly [string, ...string[]];
  prefix?: string;
  encoding: 'hex' | 'base64';
  id: readonly string[];
  type: readonly string[];
}): Source {
  const { headers, prefix = '', encoding } = sender;
  const first = ({ header }: Incoming, names: readonly string[]) =>
    names.map((name) => header(name)).find((value) => value !== '');
  return {
    verifier(secrets) {
      return (request) => {
        const name = headers.find((one) => request.header(one) !== '') ?? headers[0];
        const given = required(request.header(name), name);
        const digits = given.startsWith(prefix) ? given.slice(prefix.length) : '';
        const signature = signatureBytes(digits, encoding, 32);
        if (signature === undefined) throw unsigned(`the header ${name} is malformed`);
        return hmacCheck({ algorithm: 'sha256', keys: secrets, expected: [signature] });
      };
    },
    identify: (request) => ({
      id: first(request, sender.id),
      type: first(request, sender.type),
    }),
  };
}
