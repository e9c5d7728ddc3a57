import type { LoadedSpec } from '../../../model/deployment-spec.ts';

/** A spec as it is written, without the line that divides it from the one before. */
export function textOf({ text }: Pick<LoadedSpec, 'text'>): string {
  return text.trim().replace(/^---[ \t]*\r?\n/, '');
}
