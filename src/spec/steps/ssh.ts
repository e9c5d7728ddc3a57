import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import * as z from 'zod';
import { oneOrMore, optional, problem, secretName, textUpTo, whole } from '../schema-fields.ts';
import { script } from '../schema-script.ts';
import type { StepForm, StepOf } from './contract.ts';

/** The key of a machine. `type` as `ssh-ed25519`, where it is known; `fingerprint` as `SHA256:` and base64 without padding. */
export interface HostKey {
  type?: string;
  fingerprint: string;
}

const HOST = /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_-]+)*$/;
/** As OpenSSH prints it, and with the padding that other programs add. */
const FINGERPRINT = /^SHA256:([A-Za-z0-9+/]{43})=?$/;
const KEY =
  /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) +([A-Za-z0-9+/]+={0,2})(?: .*)?$/;

const hostKey = textUpTo(4096).superRefine((text, context) => {
  if (readHostKey(text) !== undefined) return;
  problem(
    context,
    'is no host key',
    'write "ssh-ed25519 AAAA…" or "SHA256:…", as the server itself tells it: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub',
  );
});

const schema = z
  .strictObject({
    host: z
      .string()
      .refine((text) => isIP(text) !== 0 || HOST.test(text), 'is no name or address of a machine')
      .describe('The machine that is logged in to.'),
    port: optional('Default: 22.', whole(1, 65_535)),
    user: z
      .string()
      .regex(/^[^\s\p{Cc}]{1,100}$/u, "is no user's name")
      .describe('The user there.'),
    key: secretName.describe('The secret that is the private key, without a passphrase.'),
    'host-key': oneOrMore(hostKey, 10).describe(
      'The keys by which the machine is known: "ssh-ed25519 AAAA…" or "SHA256:…".',
    ),
    run: script.describe(
      'Shell commands that run there. Values come as environment variables: MAINSHEET_SHA, MAINSHEET_BRANCH, and "env".',
    ),
    resume: optional(
      'Whether the script goes on there when the connection ends, and is found again after a restart. false for machines that keep nothing in the home directory. Default: true.',
      z.boolean(),
    ),
  })
  .transform(({ port = 22, resume = true, 'host-key': hostKeys, ...rest }) => ({
    kind: 'ssh' as const,
    ...rest,
    port,
    resume,
    hostKeys: hostKeys.flatMap((text) => readHostKey(text) ?? []),
  }));

/** A script that runs on another machine. */
export const ssh = {
  schema: schema.describe('A script that runs on another machine.'),
  texts: { key: 'secret', run: 'remote-script' },
} as const satisfies StepForm;

export type SshStepSpec = StepOf<typeof ssh>;

function readHostKey(text: string): HostKey | undefined {
  const [, digest] = FINGERPRINT.exec(text.trim()) ?? [];
  if (digest !== undefined) return { fingerprint: `SHA256:${digest}` };
  const [, type = '', base64 = ''] = KEY.exec(text.trim()) ?? [];
  const blob = Buffer.from(base64, 'base64');
  // It begins with its own type: https://www.rfc-editor.org/rfc/rfc4253#section-6.6
  const head = Buffer.concat([Buffer.from([0, 0, 0, type.length]), Buffer.from(type)]);
  if (
    type === '' ||
    blob.length < head.length + 32 ||
    !blob.subarray(0, head.length).equals(head)
  ) {
    return undefined;
  }
  const hash = createHash('sha256').update(blob).digest('base64').replace(/=$/, '');
  return { type, fingerprint: `SHA256:${hash}` };
}
