import { TerminalError } from '../lib/errors.ts';
import type { Json } from '../model/event.ts';
import { inputVariable } from '../model/hook.ts';
import type { Run } from '../model/run.ts';

/** Linux refuses to start a program with a longer `NAME=value` (MAX_ARG_STRLEN, which counts the closing NUL too). */
const MAX_ENTRY_BYTES = 128 * 1024 - 1;

/** What of the controller's own environment steps see. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'TZ'];

/**
 * The whole environment of a step: of the controller's own only PATH, HOME, LANG and TZ, then the spec's
 * secrets, then `env` (rendered), then Mainsheet's variables, which nothing can replace. What a run does not have is an
 * empty variable (a tag's run: `MAINSHEET_BRANCH`), so that `set -u` does not trip over it.
 * Values are data: no shell reads them unless the script asks for it.
 * Throws TerminalError `step-environment` for a value that no environment can hold.
 */
export function stepEnvironment(input: {
  run: Run;
  /** The file that holds the event's payload. */
  eventPath: string;
  /** The file with all events of a batch; '' where the spec gathers none. */
  eventsPath: string;
  /** The file into which the step writes its outputs: `output` in the step's scratch directory. */
  outputPath: string;
  /** The checkout. */
  workspace: string;
  inherited: Record<string, string | undefined>;
  env: Record<string, string>;
  secrets: Record<string, string>;
  /** What a hook took from the request: each is MAINSHEET_INPUT_<NAME>, JSON where it is no text, empty where there is nothing. */
  inputs: { [name: string]: Json };
}): Record<string, string> {
  const { run } = input;
  const environment: Record<string, string> = {
    ...inheritedOf(input.inherited),
    CI: 'true',
    ...input.secrets,
    ...input.env,
    ...inputVariables(input.inputs),
    MAINSHEET_RUN_ID: run.id,
    MAINSHEET_SPEC: run.spec,
    MAINSHEET_ENVIRONMENT: run.environment,
    MAINSHEET_REPOSITORY: run.repository,
    MAINSHEET_REF: run.ref,
    MAINSHEET_BRANCH: run.branch ?? '',
    MAINSHEET_TAG: run.tag ?? '',
    MAINSHEET_SHA: run.sha,
    MAINSHEET_EVENT: run.event,
    MAINSHEET_DELIVERY: run.delivery,
    MAINSHEET_EVENT_PATH: input.eventPath,
    MAINSHEET_EVENTS_PATH: input.eventsPath,
    MAINSHEET_OUTPUT: input.outputPath,
    MAINSHEET_WORKSPACE: input.workspace,
  };
  for (const [name, value] of Object.entries(environment)) checkVariable(name, value);
  return environment;
}

/** Names of files and folders of this machine. */
const HERE = new Set([
  'MAINSHEET_EVENT_PATH',
  'MAINSHEET_EVENTS_PATH',
  'MAINSHEET_OUTPUT',
  'MAINSHEET_WORKSPACE',
]);

/**
 * What of a step's environment may go to another machine: what its spec writes in `env`, and Mainsheet's variables, without the
 * names of files here. Secrets only where `env` names them.
 */
export function environmentElsewhere(step: {
  env: Record<string, string>;
  written: Record<string, string>;
}): Record<string, string> {
  const own = Object.entries(step.env).filter(
    ([name]) => name === 'CI' || (name.startsWith('MAINSHEET_') && !HERE.has(name)),
  );
  return { ...step.written, ...Object.fromEntries(own) };
}

function inputVariables(inputs: { [name: string]: Json }): Record<string, string> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [
      inputVariable(name),
      value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  );
}

function inheritedOf(controller: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    INHERITED.flatMap((name) => {
      const value = controller[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function checkVariable(name: string, value: string): void {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw new TerminalError('step-environment', `${JSON.stringify(name)} cannot name a variable`, {
      hint: 'use letters, digits and _, not beginning with a digit',
    });
  }
  if (value.includes('\0')) {
    throw new TerminalError(
      'step-environment',
      `the value of ${name} has a NUL character, which no environment variable can hold`,
      { hint: 'read the value from the file MAINSHEET_EVENT_PATH, or encode it' },
    );
  }
  const bytes = Buffer.byteLength(name) + 1 + Buffer.byteLength(value);
  if (bytes > MAX_ENTRY_BYTES) {
    throw new TerminalError(
      'step-environment',
      `the value of ${name} has ${bytes} bytes: an environment variable holds at most ${MAX_ENTRY_BYTES}`,
      { hint: 'read the value from the file MAINSHEET_EVENT_PATH, or write it to a file' },
    );
  }
}
