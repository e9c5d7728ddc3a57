import { Composer, Lexer, Parser, type CST, type Document, type LineCounter } from 'yaml';
import { describeError, hintOf, TerminalError } from '../lib/errors.ts';
import { problemAt, type SpecProblem } from './problem.ts';

/** Names, values, signs, gaps and line ends of YAML in one file: each takes microseconds to read, and nothing else is done meanwhile. */
const PIECE_LIMIT = 65_536;

/** The documents in a file's text, whatever is wrong with them; `lines` then knows where its lines begin. */
export function readDocuments(
  file: string,
  text: string,
  lines: LineCounter,
): { list: Document.Parsed[] } | { problem: SpecProblem } {
  const { stackTraceLimit } = Error;
  // The parser makes an error of each piece that it stumbles over, and most of the time would go into their stacks.
  Error.stackTraceLimit = 0;
  try {
    // Version 1.2 reads `on` as a word, not as true. Duplicate keys are looked for in `yaml-issues`.
    const composer = new Composer({
      version: '1.2',
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: 'silent',
    });
    return { list: [...composer.compose(tokensOf(text, lines))] };
  } catch (error) {
    const message =
      error instanceof TerminalError
        ? error.message
        : `not readable as YAML: ${describeError(error)}`;
    return { problem: problemAt({ file }, message, hintOf(error)) };
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function* tokensOf(text: string, lines: LineCounter): Generator<CST.Token> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  let pieces = 0;
  for (const piece of new Lexer().lex(text)) {
    pieces += 1;
    if (pieces > PIECE_LIMIT) throw tooMany();
    yield* parser.next(piece);
  }
  yield* parser.end();
}

function tooMany(): TerminalError {
  const message = `the file has more than ${PIECE_LIMIT} names, values and signs of YAML`;
  return new TerminalError('too-much-yaml', message, { hint: 'split it' });
}
