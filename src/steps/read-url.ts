import { TerminalError } from '../lib/errors.ts';

/** The URL that a template gave. Throws TerminalError `step-url`, which does not show it: it may have a secret in it. */
export function readUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new TerminalError('step-url', 'the step has no http or https URL', {
      hint: 'check the secret or template that its "url" is made of',
    });
  }
  if (url.username === '' && url.password === '') return url;
  throw new TerminalError('step-url', `the URL of ${url.host} holds a user or password`, {
    hint: 'name a secret instead: secret: NAME',
  });
}
