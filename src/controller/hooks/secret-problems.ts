import type { LoadedHook } from '../../model/hook.ts';
import type { Source } from '../../sources/contract.ts';
import { SOURCES } from '../../sources/index.ts';
import type { SpecProblem } from '../../spec/problem.ts';
import { problemAt } from '../../spec/problem.ts';

/** The secrets with which the sender of their hook can verify nothing. `secret` gives the value of one; no problem has a value. */
export function hookSecretProblems(
  hooks: readonly LoadedHook[],
  secret: (name: string) => string | undefined,
): SpecProblem[] {
  return hooks.flatMap((loaded) => {
    const { hook } = loaded;
    const { secretProblem }: Source = SOURCES[hook.sender];
    if (secretProblem === undefined) return [];
    return hook.secrets.flatMap(({ name }) => {
      const value = valueOf(name);
      const why = value === undefined ? undefined : secretProblem(value);
      if (why === undefined) return [];
      const message = `the secret ${name} of the hook ${hook.id} ${why}`;
      return [problemAt(loaded, message, 'copy it from the sender again')];
    });
  });

  /** One that cannot be read is told of where it is used. */
  function valueOf(name: string): string | undefined {
    try {
      return secret(name);
    } catch {
      return undefined;
    }
  }
}
