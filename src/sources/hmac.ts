import type { Source } from './contract.ts';
import {
  checkTime,
  DIGEST_BYTES,
  hmacCheck,
  required,
  signatureBytes,
  unsigned,
} from './signature.ts';

/** Any sender that signs with HMAC, as the hook's options say. */
export const hmac: Source = {
  verifier(secrets, options) {
    const { header: name = '', prefix, algorithm, encoding, timestamp, toleranceMs } = options;
    return ({ header }, now) => {
      const given = required(header(name), name);
      const digits = given.startsWith(prefix) ? given.slice(prefix.length) : undefined;
      const signature = signatureBytes(digits ?? '', encoding, DIGEST_BYTES[algorithm]);
      if (signature === undefined) throw unsigned(`the header ${name} is malformed`);
      const time = timestamp === undefined ? '' : required(header(timestamp), timestamp);
      if (timestamp !== undefined) checkTime(time, now, toleranceMs, toleranceMs);
      const before = options.signed.slice(0, -'{body}'.length).replaceAll('{timestamp}', time);
      return hmacCheck({ algorithm, keys: secrets, before, expected: [signature] });
    };
  },

  identify: () => ({ id: undefined, type: undefined }),
};
