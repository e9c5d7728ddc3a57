import type { LoadedSpec } from '../model/deployment-spec.ts';
import type { LoadedHook } from '../model/hook.ts';
import { isNotify } from './notify/index.ts';
import { didYouMean, problemAt, type SpecProblem } from './problem.ts';

/** Messages whose buttons no hook hears of: who pressed one would be shown an error. `isWhole`: whether no hook is in a file beside these. */
export function buttonProblems(
  { specs, hooks }: { specs: readonly LoadedSpec[]; hooks: readonly LoadedHook[] },
  isWhole: boolean,
): SpecProblem[] {
  const known = new Map(hooks.map(({ hook }) => [hook.id, hook]));
  const fitting = hooks.filter(({ hook }) => hook.people !== undefined).map(({ hook }) => hook.id);
  return specs.flatMap((loaded) =>
    loaded.spec.notify.flatMap((entry) => {
      if (!isNotify(entry, 'slack-app') || entry.buttons === undefined) return [];
      const { buttons } = entry;
      const hook = known.get(buttons);
      if (hook === undefined ? !isWhole : hook.people !== undefined) return [];
      const wrong = hook === undefined ? 'which no file has' : 'which names no users of Slack';
      const message = `the buttons of ${loaded.spec.name} are told to the hook ${buttons}, ${wrong}`;
      const hint =
        didYouMean(buttons, fitting) ?? 'write it: kind: hook, sender: slack, team, users';
      return [problemAt(loaded, message, hint)];
    }),
  );
}

/** Triggers by hooks for buttons, which start nothing. */
export function buttonHookWarnings({
  specs,
  hooks,
}: {
  specs: readonly LoadedSpec[];
  hooks: readonly LoadedHook[];
}): SpecProblem[] {
  const forButtons = new Set(
    hooks.filter(({ hook }) => hook.people !== undefined).map(({ hook }) => hook.id),
  );
  return specs.flatMap((loaded) =>
    (loaded.spec.on.hooks ?? [])
      .filter(({ id }) => forButtons.has(id))
      .map(({ id }) => {
        const message = `${loaded.spec.name} is never started by the hook ${id}, which is for buttons`;
        return problemAt(loaded, message, 'name another hook');
      }),
  );
}
