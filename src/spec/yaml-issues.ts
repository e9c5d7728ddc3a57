import { isAlias, isMap, isNode, isScalar, isSeq, visit } from 'yaml';
import type { Document, YAMLError } from 'yaml';

/** Something wrong with the YAML itself, at an offset into the text. */
export interface YamlIssue {
  offset: number;
  message: string;
  hint?: string;
}

/**
 * Everything wrong with the YAML of one document; `text` is the whole file. Of syntax errors only the first is told,
 * since the parser stumbles over all that follows it. Warnings count too: an unknown tag (`if: !event…` without
 * quotes) would otherwise silently become an empty string.
 */
export function yamlIssues(document: Document.Parsed, text: string): YamlIssue[] {
  const [first] = document.errors;
  if (first !== undefined) return [syntaxIssue(first, text)];
  return [
    ...document.warnings.map(warningIssue),
    ...badKeys(document),
    ...misusedAliases(document),
  ].sort((a, b) => a.offset - b.offset);
}

function syntaxIssue(error: YAMLError, text: string): YamlIssue {
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
      const quoted = `'${value.replaceAll("'", "''")}'`;
      return { offset, message, hint: `write ${quoted}, or begin it on the next line after "|"` };
    }
    case 'BAD_INDENT':
    case 'UNEXPECTED_TOKEN':
      return isIndentedText(text, offset) ? badIndent(text, offset) : undefined;
    case 'MISSING_CHAR':
      return error.message.includes('Sequence item') ? badIndent(text, offset) : undefined;
    case 'TAB_AS_INDENT':
      return { offset, message: 'not valid YAML: a line begins with a tab', hint: 'use spaces' };
    default:
      return undefined;
  }
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

function warningIssue(warning: YAMLError): YamlIssue {
  const offset = warning.pos[0];
  if (warning.code !== 'TAG_RESOLVE_FAILED') return { offset, message: firstLine(warning) };
  return {
    offset,
    message: 'a value that begins with "!" is a tag in YAML',
    hint: 'put the value in quotes',
  };
}

function firstLine(error: YAMLError): string {
  return error.message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '') ?? '';
}

/** Keys that are there twice (the library's own check compares every key with every other), and those that none can be. */
function badKeys(document: Document.Parsed): YamlIssue[] {
  const issues: YamlIssue[] = [];
  visit(document, {
    Map(_key, map) {
      const seen = new Set<string>();
      for (const { key } of map.items) {
        if (!isScalar(key)) {
          const offset = (isNode(key) ? key : map).range?.[0] ?? 0;
          issues.push({ offset, message: 'a key must be a plain name' });
          continue;
        }
        const name = String(key.value);
        if (name === '__proto__') {
          // In JavaScript it is no key like others, so it would be dropped without a word.
          const message = 'the name "__proto__" cannot be used';
          issues.push({ offset: key.range?.[0] ?? 0, message });
        }
        if (name === '<<') {
          issues.push({
            offset: key.range?.[0] ?? 0,
            message: 'merge keys ("<<") are not supported',
            hint: 'write the keys out, or repeat a whole value with an alias: env: *common',
          });
        }
        if (seen.has(name)) {
          issues.push({
            offset: key.range?.[0] ?? 0,
            message: `the key "${name.slice(0, 100)}" is there twice`,
          });
        }
        seen.add(name);
      }
    },
  });
  return issues;
}

/** Aliases of nothing (most often a pattern without quotes), and of the very value that they are in. */
function misusedAliases(document: Document.Parsed): YamlIssue[] {
  const anchors = new Set<string>();
  const issues: YamlIssue[] = [];
  visit(document, {
    Node(_key, node, ancestors) {
      if (!isAlias(node)) {
        if (anchorOf(node) !== undefined) anchors.add(anchorOf(node) ?? '');
        return;
      }
      const offset = node.range?.[0] ?? 0;
      const name = node.source.slice(0, 100);
      if (ancestors.some((ancestor) => anchorOf(ancestor) === node.source)) {
        issues.push({ offset, message: `the alias "*${name}" stands within what it repeats` });
      } else if (!anchors.has(node.source)) {
        issues.push({
          offset,
          message: `a value that begins with "*" is an alias in YAML, and there is no anchor "${name}"`,
          hint: 'put the value in quotes',
        });
      }
    },
  });
  return issues;
}

function anchorOf(node: unknown): string | undefined {
  return isScalar(node) || isMap(node) || isSeq(node) ? node.anchor : undefined;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
