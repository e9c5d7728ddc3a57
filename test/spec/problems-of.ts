import { parseSpecs } from '../../src/spec/load.ts';
import { formatProblem } from '../../src/spec/problem.ts';

/** What is wrong with the specs of a file `x.yaml`. */
export function problemsOf(text: string): string[] {
  return parseSpecs('x.yaml', text).problems.map(formatProblem);
}

/** The problems of a spec that is valid but for these lines. The lines begin at line 4. */
export function problemsIn(lines: string): string[] {
  return problemsOf(`name: shop\nrepository: acme/shop\n# here:\n${lines}\n`);
}

/** What a spec needs besides its name and its repository. */
export const REST = `\non: push\nsteps: [{ run: 'true' }]`;
