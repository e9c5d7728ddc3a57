import { parseXml, XmlElement, XmlText, XmlCdata } from '@rgrove/parse-xml';
import { TerminalError } from '../../lib/errors.ts';
import type { Json } from '../../model/event.ts';

/** Levels of elements within each other. */
const MOST_LEVELS = 100;

/**
 * An XML document as JSON: `{ root: … }`, where an element is its text, or a map of its attributes (`@name`), elements by name (a
 * list when there are several) and text (`#text`). A document type, and so every entity of its own, is refused. Throws
 * TerminalError `payload-unreadable`.
 */
export function readXml(text: string): Json {
  if (/<!DOCTYPE/i.test(text)) throw unreadable('a document type is not taken');
  let root: XmlElement | null;
  try {
    // As the parser does too, but in a time that grows with the square: https://www.w3.org/TR/xml/#sec-line-ends
    ({ root } = parseXml(text.replaceAll(/\r\n?/g, '\n')));
  } catch {
    // The parser repeats what it was given, which may be a secret.
    throw unreadable('the body is not well-formed XML');
  }
  return root === null ? null : { [root.name]: toJson(root, MOST_LEVELS) };
}

function toJson(element: XmlElement, levels: number): Json {
  if (levels === 0) throw unreadable(`elements are nested more than ${MOST_LEVELS} levels deep`);
  const fields = new Map<string, Json>();
  for (const [name, value] of Object.entries(element.attributes)) fields.set(`@${name}`, value);
  let text = '';
  for (const child of element.children) {
    if (child instanceof XmlText || child instanceof XmlCdata) text += child.text;
    if (!(child instanceof XmlElement)) continue;
    const before = fields.get(child.name);
    const value = toJson(child, levels - 1);
    // What an element is never is a list by itself.
    if (before === undefined) fields.set(child.name, value);
    else if (Array.isArray(before)) before.push(value);
    else fields.set(child.name, [before, value]);
  }
  if (fields.size === 0) return text;
  if (text.trim() !== '') fields.set('#text', text);
  return Object.fromEntries(fields);
}

function unreadable(message: string): TerminalError {
  return new TerminalError('payload-unreadable', message);
}
