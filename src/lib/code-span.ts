import { cleanLine } from './clean-text.ts';
import { cutText } from './cut-text.ts';

/**
 * Text of others as GitHub's Markdown shows it as it is, on one line: in a code span nothing is Markdown, HTML, a link or a mention.
 * The zero-width space keeps a mention from being one in an answer by e-mail, too. `most`: characters.
 * https://github.github.com/gfm/#code-spans
 */
export function codeSpan(text: string, most = 200): string {
  const line = cutText(cleanLine(text.toWellFormed()), most)
    .replaceAll('`', "'")
    .replaceAll('@', '@\u200b');
  return line === '' ? '` `' : `\`${line}\``;
}
