import { BACKSLASH, ENTITY, PERCENT, PLUS } from './escapes.ts';
import { createFairTurn } from './fair-turn.ts';
import { cover, createView, LEFT_OUT, type Reading, type Span } from './masking-view.ts';
import { QUOTING, secretForms, type SecretForms } from './secret-forms.ts';
import { createTextSearch, type TextSearch } from './text-search.ts';

/** Takes text in pieces and gives it back with every secret masked. One masker for one stream of text. */
export interface Masker {
  /** The masked text that is certain by now. What is held back is only a suffix that may be the start of a secret. */
  push(text: string): string;
  /** The held-back rest. The masker is then as new. */
  flush(): string;
  /**
   * Units at the end of what was pushed that a new masker has to be given first, so that it goes on where this one is: what is held back,
   * and all of a secret of which a part is held back.
   */
  held(): number;
}

/** A masker for `secrets`: as `createMaskers`, for one stream only. */
export function createMasker(secrets: readonly string[]): Masker {
  return createMaskers(secrets)();
}

/** `text` with every secret masked: what a masker gives for the whole text at once. */
export function maskText(secrets: readonly string[], text: string): string {
  const masker = createMasker(secrets);
  return masker.push(text) + masker.flush();
}

/** So much is read before other work has its turn: some milliseconds' worth of what takes longest. */
const MASKED_AT_ONCE = 2048;

/** What `masker`, which is new, gives for the whole text, with turns for other work: a megabyte of escapes takes seconds. */
export async function maskInTurns(masker: Masker, text: string): Promise<string> {
  const turn = createFairTurn();
  let output = '';
  for (let start = 0; start < text.length; start += MASKED_AT_ONCE) {
    output += masker.push(text.slice(start, start + MASKED_AT_ONCE));
    await turn();
  }
  return output + masker.flush();
}

/**
 * Makes maskers for `secrets`, whatever the borders between the pieces. A stream is read in several ways at once
 * (`READINGS`), each of which undoes what programs do to text when they print it; what is a secret in one of them is
 * masked from where its first character comes from to where its last one does. Occurrences that overlap or touch become one
 * mark. The mark is `***`; where a secret has asterisks in places that would let marks and text make up a secret again,
 * another one is taken, so that the output never contains a secret. Empty secrets are ignored.
 * Time is linear in the text; memory is bounded by the secrets and the longest piece.
 */
export function createMaskers(secrets: readonly string[]): () => Masker {
  const forms = secretForms(secrets);
  const mark = markFor(forms.text);
  const searches = (Object.keys(READINGS) as Alphabet[])
    .filter((alphabet) => forms[alphabet].length > 0)
    .map((alphabet) => ({
      search: createTextSearch(forms[alphabet]),
      readings: READINGS[alphabet],
    }));
  return () => createStream(mark, searches);
}

type Alphabet = keyof SecretForms;

/**
 * In which ways a stream is read to find the forms of each alphabet, the first without escapes. Two escapes: JSON in a URL, a URL in a URL,
 * HTML in JSON and the like.
 */
const READINGS: Record<Alphabet, readonly [Reading, ...Reading[]]> = {
  text: [
    { escapes: [] },
    { escapes: [BACKSLASH] },
    { escapes: [PERCENT] },
    { escapes: [PLUS, PERCENT] },
    { escapes: [ENTITY] },
    { escapes: [BACKSLASH, BACKSLASH] },
    { escapes: [PERCENT, PERCENT] },
    { escapes: [PERCENT, BACKSLASH] },
    { escapes: [PLUS, PERCENT, BACKSLASH] },
    { escapes: [ENTITY, BACKSLASH] },
    { escapes: [BACKSLASH, ENTITY] },
  ],
  unquoted: [
    { escapes: [], fold: unquote },
    { escapes: [BACKSLASH], fold: unquote },
  ],
  base64: [
    { escapes: [], fold: foldBase64 },
    { escapes: [BACKSLASH, PERCENT], fold: foldBase64 },
  ],
  hex: [{ escapes: [], fold: foldHex }],
};

/** So much is read by one view after the other: where a piece of this length has no escape, most views are passed over. */
const PART = 1024;

function createStream(
  mark: string,
  searches: readonly { search: TextSearch; readings: readonly [Reading, ...Reading[]] }[],
): Masker {
  const groups = searches.map(({ search, readings: [plain, ...others] }) => ({
    plain: createView(search, plain),
    others: others.map((reading) => createView(search, reading)),
  }));
  const views = groups.flatMap(({ plain, others }) => [plain, ...others]);
  let held = '';
  /** Where `held` begins in the stream. */
  let position = 0;
  /** Whether the last character given out was masked: then what touches it needs no second mark. */
  let inMark = false;
  /** Where what the last mark stands for begins in the stream. */
  let markedFrom = 0;

  return {
    push(text) {
      const from = position + held.length;
      for (let start = 0; start < text.length; start += PART) {
        read(text.slice(start, start + PART), from + start);
      }
      held += text;
      const end = from + text.length;
      return giveOut(Math.min(end, ...views.map((view) => view.certain(end))));
    },
    flush() {
      for (const view of views) view.end();
      const output = giveOut(position + held.length);
      inMark = false;
      return output;
    },
    held() {
      const isCut = inMark && views.some(({ spans: [first] }) => first?.[0] === position);
      return position + held.length - (isCut ? markedFrom : position);
    },
  };

  function read(part: string, at: number): void {
    for (const { plain, others } of groups) {
      const alike = others.map((view) => view.isLike(plain));
      plain.read(part, at);
      for (const [index, view] of others.entries()) {
        // The same search over the same text finds the same.
        if (alike[index] === true && !view.hasEscape(part)) view.follow(plain);
        else view.read(part, at);
      }
    }
  }

  /** What is held back up to a position in the stream, masked. */
  function giveOut(until: number): string {
    let output = '';
    let at = position;
    for (const [start, end] of coveredBefore(until)) {
      if (start > at) output += held.slice(at - position, start - position);
      if (start > at || !inMark) {
        output += mark;
        markedFrom = start;
      }
      inMark = true;
      at = Math.min(end, until);
    }
    if (at < until) {
      output += held.slice(at - position, until - position);
      inMark = false;
    }
    held = held.slice(until - position);
    position = until;
    return output;
  }

  /** What all views have found up to there, apart from each other, in order. What lies beyond stays with them. */
  function coveredBefore(until: number): Span[] {
    const found: Span[] = [];
    for (const view of views) {
      if (view.spans.length === 0) continue;
      found.push(...view.spans.filter(([start]) => start < until));
      view.spans = view.spans.flatMap(([start, end]): Span[] =>
        end <= until ? [] : [[Math.max(start, until), end]],
      );
    }
    const merged: Span[] = [];
    for (const [start, end] of found.toSorted((a, b) => a[0] - b[0])) {
      cover(merged, start, Math.max(end, merged.at(-1)?.[1] ?? 0));
    }
    return merged;
  }
}

/** Without what quotes: pieces in single and double quotes that follow each other are one word in a shell. */
function unquote(code: number): number {
  return QUOTING.has(code) ? LEFT_OUT : code;
}

const SPACE = new Set(Array.from('\t\n\r ', (character) => character.charCodeAt(0)));
const BETWEEN_HEX = new Set(Array.from(':-,xX\\%', (character) => character.charCodeAt(0)));
const [MINUS, LOWBAR] = ['-', '_'].map((character) => character.charCodeAt(0));
const [PLUS_SIGN, SLASH] = ['+', '/'].map((character) => character.charCodeAt(0));

/** base64url as base64, without the ends of lines: https://www.rfc-editor.org/rfc/rfc4648#section-5 */
function foldBase64(code: number): number {
  if (SPACE.has(code)) return LEFT_OUT;
  if (code === MINUS) return PLUS_SIGN ?? code;
  return code === LOWBAR ? (SLASH ?? code) : code;
}

/** Lower-case digits, without what dumps put between the bytes: `61 62`, `61:62`, `\x61\x62`, `0x61, 0x62`. */
function foldHex(code: number): number {
  if (SPACE.has(code) || BETWEEN_HEX.has(code)) return LEFT_OUT;
  return code >= 0x41 && code <= 0x46 ? code + 0x20 : code;
}

/**
 * Three times one character, such that no secret can be made of marks and unmasked text: a secret in the output that
 * touches a mark would have to begin or end with that character or to contain the whole mark.
 */
function markFor(forms: readonly string[]): string {
  const safe = (character: string) =>
    forms.every(
      (form) =>
        !form.startsWith(character) &&
        !form.endsWith(character) &&
        !form.includes(character.repeat(3)),
    );
  let character = '*';
  // Behind the bullet come some thousand characters; there is always one that the secrets leave free.
  for (let code = 0x2022; !safe(character); code += 1) character = String.fromCharCode(code);
  return character.repeat(3);
}
