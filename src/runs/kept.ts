import type { Seal } from '../lib/seal.ts';
import type { Run } from '../model/run.ts';

const SEALED = 'sealed:';

/** What a step keeps as its row has it: sealed, where a secret is in it (G8). */
export async function toRow(
  text: string,
  { run, maskLong, seal }: { run: Run; maskLong: (text: string) => Promise<string>; seal: Seal },
): Promise<string> {
  return (await maskLong(text)) === text ? text : SEALED + seal.close(text, run.id);
}

/** What a step has kept, from its row; undefined when it cannot be read here. */
export function fromRow(kept: string, { run, seal }: { run: Run; seal: Seal }): string | undefined {
  return kept.startsWith(SEALED) ? seal.open(kept.slice(SEALED.length), run.id) : kept;
}
