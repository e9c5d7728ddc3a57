import type { YAMLError } from 'yaml';

/** Something wrong with the YAML itself, at an offset into the text. */
export interface YamlIssue {
  offset: number;
  message: string;
  hint?: string;
}

/** What is wrong with text that is no YAML. */
export function syntaxIssue(error: YAMLError, text: string): YamlIssue {
  const offset = error.pos[0];
  // The parser calls itself for each level, and reports that it cannot any more.
  if (/maximum call stack/i.test(error.message)) return { offset, message: 'nested too deeply' };
  const known = knownMistake(error, text);
  if (known !== undefined) return known;
  const message = `not valid YAML: ${lowerFirst(firstLine(error))}`;
  const around = text.slice(Math.max(0, offset - 3), offset + 3);
  if (/\$\{\{|\}\}/.test(around)) {
    return { offset, message, hint: 'put a value with "${{ … }}" in quotes' };
  }
  if (text.charAt(offset) === '*' || text.charAt(offset) === '[') {
    return { offset, message, hint: 'put a pattern with "*" or "[" in quotes' };
  }
  return { offset, message };
}

/** The mistakes that people make most, in words that say what to do: what the parser says of them does not. */
function knownMistake(error: YAMLError, text: string): YamlIssue | undefined {
  const [offset] = error.pos;
  switch (error.code) {
    case 'BLOCK_AS_IMPLICIT_KEY': {
      const end = lineEnd(text, offset);
      const value = text.slice(offset, end).trim();
      if (!/:(?:\s|$)/.test(value)) return badIndent(text, end);
      const message = 'not valid YAML: a value that holds ": " must be in quotes';
      return { offset, message, hint: quoted(value) };
    }
    case 'BAD_SCALAR_START': {
      const message = `not valid YAML: a value cannot begin with "${text.charAt(offset)}"`;
      const isAlone = valueStart(text, offset) === offset;
      const value = text.slice(offset, lineEnd(text, offset)).trim();
      return { offset, message, hint: isAlone ? quoted(value) : 'put the value in quotes' };
    }
    case 'MULTILINE_IMPLICIT_KEY': {
      const parts = /^([\w-]+):(?!\/\/)(\S.*)/.exec(text.slice(offset, lineEnd(text, offset)));
      if (parts === null) return undefined;
      const message = 'not valid YAML: a key needs a space after the ":"';
      return { offset, message, hint: `write ${parts[1]}: ${parts[2]?.trim()}` };
    }
    case 'BAD_INDENT':
    case 'UNEXPECTED_TOKEN':
      return (
        unclosed(error) ??
        textAfterEnd(error, text) ??
        (isIndentedText(text, offset) ? badIndent(text, offset) : undefined)
      );
    case 'MISSING_CHAR':
      return (
        unclosed(error) ??
        (error.message.includes('Sequence item') ? badIndent(text, offset) : undefined)
      );
    case 'TAB_AS_INDENT':
      return { offset, message: 'not valid YAML: a line begins with a tab', hint: 'use spaces' };
    default:
      return undefined;
  }
}

/** A bracket or a quote to which there is no other; the parser sees it where the text goes on or ends. */
function unclosed(error: YAMLError): YamlIssue | undefined {
  const [, bracket] = /sufficiently indented and end with a ([\]}])/.exec(error.message) ?? [];
  const [, quote] = /^Missing closing (["'])/.exec(error.message) ?? [];
  const open = bracket === ']' ? '[' : bracket === '}' ? '{' : quote;
  if (open === undefined) return undefined;
  const message = `not valid YAML: before this place a ${open} is not closed`;
  return { offset: error.pos[0], message, hint: `close it with ${bracket ?? quote}` };
}

/** Text behind what YAML takes for a whole value: `run: "./a b" --now`, `run: [ -f x ] && y`, `run: | echo`. */
function textAfterEnd(error: YAMLError, text: string): YamlIssue | undefined {
  const [offset] = error.pos;
  const start = valueStart(text, offset);
  const before = text.slice(start, offset).trim();
  if (/^[|>]/.test(before)) {
    const message = `not valid YAML: what follows a "${before.charAt(0)}" begins on the next line`;
    return { offset, message };
  }
  if (!error.message.includes('at node end') || !isWhole(before)) return undefined;
  const value = text.slice(start, lineEnd(text, offset)).trim();
  const message = `not valid YAML: the value ends at its ${before.at(-1)}, and there is more`;
  return { offset, message, hint: quoted(value) };
}

/** Whether a text is one in quotes, or a list or map with all its brackets. */
function isWhole(text: string): boolean {
  if (/^(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')$/.test(text)) return true;
  const count = (characters: RegExp) => text.match(characters)?.length ?? 0;
  return /^(?:\[.*\]|\{.*\})$/.test(text) && count(/[[{]/g) === count(/[\]}]/g);
}

/** Where on the line of `offset` its first value begins, after the key. */
function valueStart(text: string, offset: number): number {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const key = /^\s*(?:-\s+)*(?:[\w.-]+:\s+)?/.exec(text.slice(start, offset));
  return start + (key?.[0].length ?? 0);
}

/** How a text is written that YAML would read as something else. */
function quoted(value: string): string {
  return `write '${value.replaceAll("'", "''")}', or begin it on the next line after "|"`;
}

/** The first line from `offset` on that has something on it stands where it belongs to nothing. */
function badIndent(text: string, offset: number): YamlIssue {
  const gap = /^\s*/.exec(text.slice(offset))?.[0].length ?? 0;
  return {
    offset: offset + gap,
    message: 'not valid YAML: this line is indented more or less than those that it belongs to',
    hint: 'keys of one map begin in the same column, and so do the "-" of one list; a text of several lines is put in quotes, or begins after "|"',
  };
}

function isIndentedText(text: string, offset: number): boolean {
  const before = text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset);
  return before.trim() === '' || text.charAt(offset) === '\n';
}

function lineEnd(text: string, offset: number): number {
  const end = text.indexOf('\n', offset);
  return end === -1 ? text.length : end;
}

/** What the parser says, without the place. */
export function firstLine(error: YAMLError): string {
  return error.message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '') ?? '';
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
