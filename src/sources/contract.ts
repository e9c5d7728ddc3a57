import type { TerminalError } from '../lib/errors.ts';
import type { Event, Json } from '../model/event.ts';

/** What is known of a request before its body is read. */
export interface Incoming {
  /** A header's value, whatever case its name is written in; empty when it is missing. */
  header(name: string): string;
}

/** Checks the bytes of a body: one in memory at once, one that is too large for that as it is read. */
export interface BodyCheck {
  /** Whether the whole body is what was signed. */
  whole(body: Buffer): boolean | Promise<boolean>;
  update(chunk: Uint8Array): void;
  /** Whether what `update` has heard of is what was signed. To be asked once, at the end. */
  matches(): boolean;
  /** What to throw when it is not. */
  refusal(): TerminalError;
}

/** The check of a request's body by what its headers say. Throws TerminalError `bad-signature` when no body could pass. */
export type Verify = (request: Incoming) => BodyCheck;

/** How the sender's headers call a delivery. */
export interface Identity {
  id: string;
  event: string;
}

/** What people know a delivery by in a list. */
export interface Description {
  event: string;
  action: string | undefined;
  repository: string | undefined;
}

/** A sender: one file or folder in `sources/`, one line in its `index.ts`. */
export interface Source {
  /** With secrets of which any may have signed: one can be changed without losing a delivery. */
  verifier(secrets: readonly string[]): Verify;
  /** Throws TerminalError `header-missing`. */
  identify(request: Incoming): Identity;
  /** Throws TerminalError `event-mismatch` when the payload, which is signed, is not of the event that the headers say. */
  describe(identity: Identity, payload: Json): Description;
  /** What a delivery means. Never throws: what cannot be read is `other`, with the reason. */
  toEvent(name: string, payload: Json): Event;
}
