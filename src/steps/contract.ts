import type { Permission } from '../github/check.ts';
import type { StepSpec } from '../model/deployment-spec.ts';
import type { ExpressionContext } from '../spec/expressions.ts';

/** What a step kind is given. Everything a step may touch is in here. */
export interface StepContext<Spec extends StepSpec = StepSpec> {
  step: Spec;
  /** Names this attempt at this step of this run: the same one when it begins again after a restart. */
  attemptId: string;
  /** The checkout: absolute path, the step's working directory. */
  directory: string;
  /** A directory for this step's own files (event payload, outputs), outside the checkout. */
  scratch: string;
  /** The whole environment the step sees: nothing is inherited. */
  env: Record<string, string>;
  /** What of `env` stands in its spec, in `env` of the spec or of the step. */
  written: Record<string, string>;
  /** What its templates may speak of. */
  values: ExpressionContext;
  /** Those that its spec lists, by name. */
  secrets: Record<string, string>;
  /** What an attempt before has kept, when the run was interrupted in it. */
  kept?: string | undefined;
  /** Keeps a text with the step, for an attempt that goes on after a restart. Resolves when it is on the disk. */
  keep(text: string): Promise<void>;
  /**
   * Logs what was put out (on stdout, unless said) and keeps a text, both or neither. `held`: of all that was logged on that stream by this
   * attempt, as many UTF-16 units at the end are not in the log yet; an attempt that goes on after a restart logs them again.
   */
  logAndKeep(
    output: string,
    keptOf: (held: number) => string,
    stream?: 'stdout' | 'stderr',
  ): Promise<void>;
  /** The `id` of what it waited for, when people have approved that. */
  approved?: string | undefined;
  /** Called with decoded text as it comes; masking and bounding happen behind it. */
  log: (stream: 'stdout' | 'stderr', text: string) => void;
  /** Aborted on cancel, with a reason, and when the controller shuts down. */
  signal: AbortSignal;
  /** Milliseconds the step may take. */
  timeoutMs: number;
}

/** How a step ended. An error thrown instead means that Mainsheet failed, not the step. */
export type StepResult =
  | { outcome: 'succeeded'; exitCode: number; outputs: Record<string, string> }
  | { outcome: 'failed'; exitCode: number | undefined; reason: string }
  | { outcome: 'timed-out'; reason: string }
  | { outcome: 'cancelled'; reason: string }
  /**
   * It goes on with `kept` when people have approved what it is about to do: `id` names that, and comes back as `approved`;
   * `detail` says it to people.
   */
  | { outcome: 'waiting'; kept: string; id: string; detail: string };

/** Does a step of one kind. */
export type DoStep<Spec extends StepSpec> = (context: StepContext<Spec>) => Promise<StepResult>;

/** A kind of step: all that Mainsheet knows of what it does. How it is written is in the file of the same name in `spec/steps`. */
export interface StepKind<Spec extends StepSpec, Deps> {
  create(deps: Deps): DoStep<Spec>;
  /** What an App must be allowed for it, beyond what it always is. */
  permissions?(step: Spec): Permission[];
  /** Programs that it needs on the PATH. */
  programs?(step: Spec): string[];
  /**
   * What another try begins with, after one that was called `attemptId` and has kept `kept`, when that has asked for something and had no
   * answer; undefined when it had one. Left out: another try has nothing to do with the one before.
   */
  unanswered?(kept: string | undefined, attemptId: string): string | undefined;
  /** Whether what it has kept leaves open whether something was begun elsewhere. Left out: it is always known. */
  isInDoubt?(kept: string): boolean;
}
