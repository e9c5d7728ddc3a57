import { isAlias, isMap, isNode, isScalar, isSeq, visit } from 'yaml';
import type { Document, YAMLError } from 'yaml';
import { firstLine, syntaxIssue, type YamlIssue } from './yaml-syntax.ts';

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

function warningIssue(warning: YAMLError): YamlIssue {
  const offset = warning.pos[0];
  if (warning.code !== 'TAG_RESOLVE_FAILED') return { offset, message: firstLine(warning) };
  return {
    offset,
    message: 'a value that begins with "!" is a tag in YAML',
    hint: 'put the value in quotes',
  };
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
          const message = 'a key must be a plain name';
          const hint = 'put a value with "${{ … }}" in quotes';
          issues.push({ offset, message, ...(isMap(key) ? { hint } : {}) });
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
