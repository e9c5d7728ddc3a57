import { escapeHtml } from '../html.ts';

/** How text is shown from some place on, as a terminal keeps it. Colours are 0 to 15. */
export interface TextStyle {
  fg: number | undefined;
  bg: number | undefined;
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
}

export const PLAIN: TextStyle = {
  fg: undefined,
  bg: undefined,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
};

const ESC = '\u001B';
/** A change of style, which has a few numbers; any other control sequence; a title or a link, whose text stays; other escapes of two characters. */
const ESCAPES =
  // oxlint-disable-next-line no-control-regex -- this is about control characters
  /\u001B\[([\d;:]{0,64})m|\u001B\[[0-?]*[ -/]*[@-~]?|\u001B\][^\u0007\u001B]*(?:\u0007|\u001B\\)?|\u001B[()#][^\n]?|\u001B[^[\]]?/g;
/** Control characters, and those that turn the direction of what follows: a log must not read as what it does not say. */
const HIDDEN = /[[\p{Cc}\p{Bidi_Control}]--\t]/gv;

/** What stands there of a line that was written over, as a progress bar is. */
export function lastWritten(line: string): string {
  return line.slice(line.lastIndexOf('\r', line.length - 2) + 1);
}

/** One line as HTML: colours become classes, everything else that a terminal would obey is left out. Gives the style after it. */
export function renderLine(line: string, before: TextStyle): { html: string; after: TextStyle } {
  const text = lastWritten(line);
  let html = '';
  let style = before;
  let from = 0;
  const put = (to: number) => {
    const piece = text.slice(from, to).replaceAll(HIDDEN, '');
    if (piece !== '') html += wrap(escapeHtml(piece), style);
  };
  if (line.includes(ESC)) {
    for (const match of text.matchAll(ESCAPES)) {
      put(match.index);
      from = match.index + match[0].length;
      if (match[1] !== undefined) style = change(style, match[1]);
    }
  }
  put(text.length);
  return { html, after: style };
}

/** The style after a text, without showing it. */
export function styleAfter(text: string, before: TextStyle): TextStyle {
  let style = before;
  for (const match of text.matchAll(ESCAPES)) {
    if (match[1] !== undefined) style = change(style, match[1]);
  }
  return style;
}

/** A line as people read it: without colours and whatever else is for terminals. */
export function plainText(line: string): string {
  const text = lastWritten(line);
  return (text.includes(ESC) ? text.replaceAll(ESCAPES, '') : text).replaceAll(HIDDEN, '');
}

function wrap(html: string, style: TextStyle): string {
  if (style === PLAIN) return html;
  const classes = [
    style.fg !== undefined && `f${style.fg}`,
    style.bg !== undefined && `b${style.bg}`,
    style.bold && 'bo',
    style.dim && 'di',
    style.italic && 'it',
    style.underline && 'un',
  ].filter((name) => name !== false);
  return classes.length === 0 ? html : `<span class="${classes.join(' ')}">${html}</span>`;
}

/** Select Graphic Rendition: https://en.wikipedia.org/wiki/ANSI_escape_code#Select_Graphic_Rendition_parameters */
function change(before: TextStyle, parameters: string): TextStyle {
  let style = before;
  const codes = parameters.split(/[;:]/).map(Number);
  while (codes.length > 0) {
    const code = codes.shift() ?? 0;
    if (code === 0) style = PLAIN;
    else if (code === 38 || code === 48) {
      const colour = extended(codes);
      if (colour !== undefined) style = { ...style, [code === 38 ? 'fg' : 'bg']: colour };
    } else style = { ...style, ...simple(code) };
  }
  return style;
}

function simple(code: number): Partial<TextStyle> {
  if (code === 1) return { bold: true };
  if (code === 2) return { dim: true };
  if (code === 3) return { italic: true };
  if (code === 4) return { underline: true };
  if (code === 22) return { bold: false, dim: false };
  if (code === 23) return { italic: false };
  if (code === 24) return { underline: false };
  if (code === 39) return { fg: undefined };
  if (code === 49) return { bg: undefined };
  if (code >= 30 && code <= 37) return { fg: code - 30 };
  if (code >= 90 && code <= 97) return { fg: code - 82 };
  if (code >= 40 && code <= 47) return { bg: code - 40 };
  if (code >= 100 && code <= 107) return { bg: code - 92 };
  return {};
}

/** One of 256 colours or of all, taken from what follows, as the nearest of the 16 that are made for the page's background. */
function extended(codes: number[]): number | undefined {
  const kind = codes.shift();
  if (kind === 2) return nearest(codes.shift() ?? 0, codes.shift() ?? 0, codes.shift() ?? 0);
  if (kind !== 5) return undefined;
  const index = codes.shift() ?? 0;
  if (index < 16) return index;
  if (index >= 232) return index < 244 ? 8 : 7;
  const level = (value: number) => (value === 0 ? 0 : 55 + value * 40);
  const cube = index - 16;
  return nearest(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

function nearest(red: number, green: number, blue: number): number {
  const most = Math.max(red, green, blue);
  if (most - Math.min(red, green, blue) < 40) return most < 100 ? 0 : most < 180 ? 8 : 7;
  const isHigh = (value: number) => value > most * 0.6;
  return (
    (isHigh(red) ? 1 : 0) + (isHigh(green) ? 2 : 0) + (isHigh(blue) ? 4 : 0) + (most > 200 ? 8 : 0)
  );
}
