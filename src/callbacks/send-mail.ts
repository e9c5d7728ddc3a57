import { describeError, RetryableError, TerminalError } from '../lib/errors.ts';
import { maskText } from '../lib/masking.ts';

/** What is sent; the rest is the server's. */
export interface Mail {
  to: string[];
  subject: string;
  text: string;
  html: string;
  /** The first part of its Message-ID. */
  id: string;
}

/** Where mail goes. `url` may have a password. */
export interface MailServer {
  url: string;
  from: string;
}

/** For a connection, a greeting, and each answer. */
const TIMEOUT_MS = 20_000;

/**
 * Sends one mail. Throws RetryableError `mail-refused` where the server says "later" (4xx) or cannot be reached, as where it takes
 * no such user, since that is mended there; TerminalError `mail-refused` when it takes the mail or its addresses for wrong (5xx).
 */
export async function sendMail(
  { url, from }: MailServer,
  { to, subject, text, html, id }: Mail,
  signal: AbortSignal,
): Promise<void> {
  // Loaded with the first mail: few Mainsheets send any.
  const { createTransport } = await import('nodemailer');
  const transport = createTransport({
    url,
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    // What specs say names no file and no address to read.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const end = () => transport.close();
  signal.addEventListener('abort', end, { once: true });
  try {
    const host = from.slice(from.lastIndexOf('@') + 1).replace(/>$/, '');
    const messageId = `<${id}@${host}>`;
    // https://www.rfc-editor.org/rfc/rfc3834#section-5: no holiday answers.
    const headers = { 'Auto-Submitted': 'auto-generated' };
    await transport.sendMail({ from, to, subject, text, html, messageId, headers });
  } catch (cause) {
    throw failureOf(cause, url);
  } finally {
    signal.removeEventListener('abort', end);
    transport.close();
  }
}

function failureOf(error: unknown, url: string): Error {
  const { code = '', responseCode = 0 } = error as { code?: string; responseCode?: number };
  const said = responseCode === 0 ? code : `${code} ${responseCode}`;
  const message = `the mail server did not take the mail (${said.trim() || 'no answer'})`;
  // A server may repeat what it was told.
  const cause = new Error(maskText(passwordOf(url), describeError(error)));
  return responseCode >= 500 && code !== 'EAUTH'
    ? new TerminalError('mail-refused', message, { cause, hint: 'check the addresses in "to"' })
    : new RetryableError('mail-refused', message, { cause });
}

function passwordOf(url: string): string[] {
  const { password } = new URL(url);
  return password === '' ? [] : [decodeURIComponent(password)];
}
