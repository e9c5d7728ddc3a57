import { elsewhere } from '../lib/names.ts';
import type { GitServers } from '../lib/servers.ts';
import type { DeploymentSpec, LoadedSpec } from '../model/deployment-spec.ts';
import type { LoadedHook } from '../model/hook.ts';
import { isNotify } from './notify/index.ts';
import { didYouMean, type Issue, problemAt, type SpecProblem } from './problem.ts';

/** What a spec asks for that only GitHub has, where its repository is on another server. */
export function checkElsewhere(spec: DeploymentSpec, raw: unknown): Issue[] {
  const { server } = elsewhere(spec.repository) ?? {};
  if (server === undefined) return [];
  const issue = (path: Issue['path'], what: string, hint: string): Issue => {
    return {
      path,
      message: `${what} only GitHub has, and ${spec.repository} is on ${server}`,
      hint,
    };
  };
  const isWritten = typeof raw === 'object' && raw !== null && 'feedback' in raw;
  const more = isWritten ? spec.feedback.filter((kind) => kind !== 'status') : [];
  return [
    ...more.map((kind) => issue(['feedback'], `"${kind}"`, 'write feedback: [status]')),
    ...(spec.comments ? [issue(['comments'], 'commands in comments', 'remove it')] : []),
    ...spec.notify.flatMap((entry, index) =>
      isNotify(entry, 'slack-app') && entry.buttons !== undefined
        ? [
            issue(
              ['notify', index, 'slack', 'buttons'],
              'people who may press buttons',
              'remove it',
            ),
          ]
        : [],
    ),
    ...(spec.plan ? [issue(['plan'], 'plans of pull requests', 'remove it')] : []),
    ...(spec.on.workflowRun === undefined
      ? []
      : [issue(['on', 'workflow_run'], 'workflow runs', 'start it by push, release or hook')]),
    ...spec.gates.flatMap((gate, index) => {
      if (gate.kind !== 'approve') return [];
      const team = gate.from.some((one) => one.startsWith('team:'));
      return [
        ...(gate.notAuthor
          ? [issue(['gates', index, 'approve', 'not-author'], 'authors with a log-in', 'remove it')]
          : []),
        ...(team ? [issue(['gates', index, 'approve', 'from'], 'teams', 'name users')] : []),
      ];
    }),
  ];
}

/** Specs and hooks of servers that are not set. */
export function checkServers(
  loaded: { specs: readonly LoadedSpec[]; hooks: readonly LoadedHook[] },
  servers: GitServers,
): SpecProblem[] {
  const unknown = (at: LoadedSpec | LoadedHook, name: string, what: string) =>
    problemAt(
      at,
      `${what} is of the server ${name}, which is not set`,
      didYouMean(name, [...servers.keys()]) ?? 'name it in MAINSHEET_SERVERS',
    );
  return [
    ...loaded.specs.flatMap((one): SpecProblem[] => {
      const { server } = elsewhere(one.spec.repository) ?? {};
      if (server === undefined || servers.has(server)) return [];
      return [unknown(one, server, one.spec.repository)];
    }),
    ...loaded.hooks.flatMap((one): SpecProblem[] => {
      const { id, sender, server } = one.hook;
      if (server === undefined) return [];
      const found = servers.get(server);
      if (found === undefined) return [unknown(one, server, `the hook ${id}`)];
      if (found.type === sender) return [];
      const message = `the hook ${id} has the sender ${sender}, and ${server} is ${found.type}`;
      return [problemAt(one, message, `write sender: ${found.type}`)];
    }),
  ];
}

/** What is of servers, where it is not known which ones are set: a warning for each of these. */
export function untoldServers(loaded: {
  specs: readonly LoadedSpec[];
  hooks: readonly LoadedHook[];
}): SpecProblem[] {
  const named = [
    ...loaded.specs.map((one) => ({ ...one, server: elsewhere(one.spec.repository)?.server })),
    ...loaded.hooks.map((one) => ({ ...one, server: one.hook.server })),
  ];
  const first = new Map(named.toReversed().map((one) => [one.server, one]));
  return [...first].flatMap(([server, at]): SpecProblem[] => {
    if (server === undefined) return [];
    const message = `without MAINSHEET_SERVERS it is not known here whether the server ${server} is set`;
    const hint =
      'set it as for "mainsheet serve", which refuses all specs where one is of no server';
    return [problemAt(at, message, hint)];
  });
}

/** Triggers by hooks of servers, which start what is on push and on release. */
export function serverHookWarnings(loaded: {
  specs: readonly LoadedSpec[];
  hooks: readonly LoadedHook[];
}): SpecProblem[] {
  const ofServers = new Map(loaded.hooks.map(({ hook }) => [hook.id, hook.server]));
  return loaded.specs.flatMap((one) =>
    (one.spec.on.hooks ?? []).flatMap(({ id }) => {
      const server = ofServers.get(id);
      if (server === undefined) return [];
      const message = `${one.spec.name} is never started by the hook ${id}, which is of the server ${server}`;
      return [problemAt(one, message, 'write on: push, or on: release')];
    }),
  );
}
