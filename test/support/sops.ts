import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { armor, Encrypter } from 'age-encryption';

/** A YAML file as `sops encrypt --age` makes it: https://getsops.io/docs/#encryption-protocol */
export async function sealWithSops(
  secrets: Record<string, string>,
  recipient: string,
): Promise<string> {
  const key = randomBytes(32);
  const seal = (value: string, about: string) => {
    const iv = randomBytes(32);
    const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(about));
    const data = Buffer.concat([cipher.update(value), cipher.final()]);
    const [sealed, nonce, tag] = [data, iv, cipher.getAuthTag()].map((part) =>
      part.toString('base64'),
    );
    return `ENC[AES256_GCM,data:${sealed},iv:${nonce},tag:${tag},type:str]`;
  };
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  const wrapped = armor.encode(await encrypter.encrypt(new Uint8Array(key)));
  const hash = createHash('sha512').update(Object.values(secrets).join(''));
  const lastmodified = '2026-11-29T12:00:00Z';
  const values = Object.entries(secrets).map(
    ([name, value]) => `${name}: ${seal(value, `${name}:`)}`,
  );
  return `${values.join('\n')}
sops:
    age:
        - recipient: ${recipient}
          enc: |
${wrapped.replaceAll(/^/gm, '            ').trimEnd()}
    lastmodified: "${lastmodified}"
    mac: ${seal(hash.digest('hex').toUpperCase(), lastmodified)}
    unencrypted_suffix: _unencrypted
    version: 3.9.4
`;
}
