import type { Verdict } from '../model/verdict.ts';
import { ROLLBACK } from './match-hook.ts';

/**
 * A verdict for people: one line for the spec, one for each condition, ✓ or ✗ in front. Values come from payloads, so
 * control characters are taken out: a branch name must not move a terminal's cursor.
 */
export function formatVerdict(specName: string, verdict: Verdict): string {
  const width = Math.max(0, ...verdict.reasons.map((reason) => reason.condition.length));
  const isRollback = verdict.reasons.some(({ condition }) => condition === ROLLBACK);
  const [does, doesNot] = isRollback
    ? ['is rolled back', 'is not rolled back']
    : ['deploys', 'does not deploy'];
  const title = `${mark(verdict.matched)} ${specName}: ${verdict.matched ? does : doesNot}`;
  const lines = verdict.reasons.map(
    ({ condition, held, detail }) =>
      `  ${mark(held)} ${condition.padEnd(width)}  ${printable(detail)}`,
  );
  return [title, ...lines].join('\n');
}

function mark(good: boolean): string {
  return good ? '✓' : '✗';
}

/** Escapes what a terminal would act on, bidirectional overrides included, and cuts what is too long to read. */
function printable(text: string): string {
  const escaped = text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
  return escaped.length > 500 ? `${escaped.slice(0, 499)}…` : escaped;
}
