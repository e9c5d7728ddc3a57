import type { TerminalError } from '../lib/errors.ts';
import type { Json } from '../model/event.ts';
import type { SenderOptions } from '../model/hook.ts';

/** What is known of a request before its body is read. */
export interface Incoming {
  /** A header's value, whatever case its name is written in; empty when it is missing, joined by ", " when it came twice. */
  header(name: string): string;
  /** What stands behind the hook's id in the path; empty when there is nothing. */
  token: string;
}

/** Checks the bytes of a body: one in memory at once, one that is too large for that as it is read. */
export interface BodyCheck {
  /**
   * What is signed besides the body: the same body with the same is the same request, sent again. Undefined when nothing is
   * signed: then the sender itself may mean the same body twice.
   */
  signed: string | undefined;
  /** No body passes: none has to be read. */
  refusesAll?: true;
  /** Whether the whole body is what was signed. */
  whole(body: Buffer): boolean | Promise<boolean>;
  /** The body as text, where `whole` has made it one. */
  text?: string | undefined;
  update(chunk: Uint8Array): void;
  /** Whether what `update` has heard of is what was signed. To be asked once, at the end. */
  matches(): boolean;
  /** What to throw when it is not. */
  refusal(): TerminalError;
}

/**
 * The check of a request's body by what its headers say. `now` in milliseconds since the epoch. Throws TerminalError
 * `bad-signature` when no body could pass, or answers a check that `refusesAll`, which takes less time where such are many.
 */
export type Verify = (request: Incoming, now: number) => BodyCheck;

/** What a sender calls a delivery and its event; undefined where it does not say. */
export interface Identity {
  id: string | undefined;
  type: string | undefined;
}

/** A sender: one file or folder in `sources/`, one line in its `index.ts`, its name in `model/hook.ts`. */
export interface Source {
  /** With secrets of which any may have signed: one can be changed without losing a delivery. */
  verifier(secrets: readonly string[], options: SenderOptions): Verify;
  /** Why nothing can be verified by a secret, in words that do not hold it; undefined: it can be used. */
  secretProblem?(secret: string): string | undefined;
  /** A secret of these bytes, in the form that the sender takes; left out: base64url. */
  secretFrom?(bytes: Buffer): string;
  /** Headers, in small letters, in which it puts a secret: no expression sees them. `authorization` is always one. */
  secretHeaders?: readonly string[];
  /** To be asked of a request that was verified. */
  identify(request: Incoming, body: Json): Identity;
  /** What to answer to a verified request by which the sender only asks whether the URL is right; undefined for any other. */
  handshake?(body: Json): string | undefined;
}
