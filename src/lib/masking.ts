import { secretForms } from './secret-forms.ts';
import { createTextSearch } from './text-search.ts';

/** Takes text in pieces and gives it back with every secret masked. One masker for one stream of text. */
export interface Masker {
  /** The masked text that is certain by now. What is held back is only a suffix that may be the start of a secret. */
  push(text: string): string;
  /** The held-back rest. The masker is then as new. */
  flush(): string;
}

/**
 * A masker for `secrets`, whatever the borders between the pieces. Every character that belongs to an occurrence of
 * a secret, or of a usual encoding of one (`secretForms`), is masked; occurrences that overlap or touch become one mark.
 * The mark is `***`; where a secret has asterisks in places that would let marks and text make up a secret again,
 * another one is taken, so that the output never contains a secret. Empty secrets are ignored.
 * Time is linear in the text; memory is bounded by the secrets and the longest piece.
 */
export function createMasker(secrets: readonly string[]): Masker {
  const forms = [...new Set(secrets.flatMap((secret) => secretForms(secret)))];
  const mark = markFor(forms);
  const search = createTextSearch(forms);
  let state = 0;
  let held = '';
  /** Parts of `held` that belong to a secret: [start, end), apart from each other, in order. */
  let covered: Span[] = [];
  /** Whether the last character given out was masked: then what touches it needs no second mark. */
  let inMark = false;

  return {
    push(text) {
      const buffer = held + text;
      state = search.scan(state, buffer, held.length, (start, end) => cover(covered, start, end));
      const certain = buffer.length - search.open(state);
      const output = giveOut(buffer, certain);
      held = buffer.slice(certain);
      covered = covered.flatMap(([start, end]) =>
        end <= certain ? [] : [[Math.max(0, start - certain), end - certain]],
      );
      return output;
    },
    flush() {
      const output = giveOut(held, held.length);
      state = 0;
      held = '';
      covered = [];
      inMark = false;
      return output;
    },
  };

  function giveOut(buffer: string, certain: number): string {
    let output = '';
    let position = 0;
    for (const [start, end] of covered) {
      if (start >= certain) break;
      if (start > position) output += buffer.slice(position, start);
      if (start > position || !inMark) output += mark;
      inMark = true;
      position = Math.min(end, certain);
    }
    if (position < certain) {
      output += buffer.slice(position, certain);
      inMark = false;
    }
    return output;
  }
}

/** `text` with every secret masked: what a masker gives for the whole text at once. */
export function maskText(secrets: readonly string[], text: string): string {
  const masker = createMasker(secrets);
  return masker.push(text) + masker.flush();
}

type Span = [start: number, end: number];

/** Adds a span that ends after all others, swallowing those that it overlaps or touches. */
function cover(spans: Span[], start: number, end: number): void {
  let from = start;
  let last = spans.at(-1);
  while (last !== undefined && last[1] >= from) {
    from = Math.min(from, last[0]);
    spans.pop();
    last = spans.at(-1);
  }
  spans.push([from, end]);
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
