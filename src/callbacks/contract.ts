import type { Octokit } from '@octokit/rest';
import type { Permission } from '../github/check.ts';
import type { Clock } from '../lib/clock.ts';
import type { GitServers, ServerType } from '../lib/servers.ts';
import type { Answered, Callback } from '../model/callback.ts';
import type { DeploymentSpec, FeedbackKind, NotifySpec } from '../model/deployment-spec.ts';
import type { Importance } from '../model/importance.ts';
import type { Run, RunState, Step } from '../model/run.ts';
import type { ExpressionContext } from '../spec/expressions.ts';
import type { Tables } from '../store/index.ts';
import type { AnswerTo } from './answer.ts';
import type { OutboxEntry } from '../store/outbox.ts';
import type { Mail } from './send-mail.ts';
import type { TraceTarget } from './trace.ts';

/** What a spec says of how the world is told. */
export type ToldSpec = Pick<
  DeploymentSpec,
  'feedback' | 'gates' | 'notify' | 'productionEnvironment' | 'transientEnvironment'
>;

/** A run's change of state. `run` is the run after it, `previous` its state before; undefined for a new run. */
export interface RunChange {
  run: Run;
  spec: ToldSpec;
  previous: RunState | undefined;
  /** Whether the spec has deployed the same commit before. */
  wasDeployed: boolean;
  /** Of a run that was superseded or cancelled: another one that may still deploy the same commit. */
  other?: Run | undefined;
  /** Who has overridden its window, and why; undefined when it started in its time. */
  overridden?: string | undefined;
  /** Of a new run that takes back what was deployed: to what, and why. */
  asked?: string | undefined;
  /** Who sent the requests that started it, and wants to hear of its end. */
  answerTo?: readonly AnswerTo[];
  /** Base of the links on GitHub; without it there are none. */
  publicUrl: string | undefined;
  /** Whether a collector gets the spans of runs. */
  traced?: boolean | undefined;
  /** The type of the run's server, where that is not GitHub and may be told of commit statuses. */
  server?: ServerType | undefined;
}

/** A callback with all filled in: what is really sent. Lives in memory only. `repository`: it goes to GitHub; `url`: elsewhere. */
export type Message = { kind: string } & (
  { repository: string; url?: undefined } | { url: string; repository?: undefined }
);

/** Where a request goes, as Octokit's routes take it. */
export interface Place {
  owner: string;
  repo: string;
  request: { signal: AbortSignal };
}

/** What a message is made from when it is sent. */
export interface Sources {
  store: Pick<Tables, 'runs' | 'steps' | 'logs' | 'inbox' | 'outbox'>;
  publicUrl: string | undefined;
  /** Where spans go. */
  traces?: TraceTarget | undefined;
  /** The mail server without user and password; undefined: there is none. */
  smtp?: { address: string } | undefined;
  servers: GitServers;
  /** The entry of `notify` in the run's spec, and what its templates may speak of. Throws TerminalError `notify-missing`. */
  notify(run: Run, position: number): Promise<NotifyContext>;
  /** Throws MainsheetError `secret-missing`. */
  secret(name: string): string;
}

export interface NotifyContext {
  notify: NotifySpec;
  context: ExpressionContext;
  /** Outputs with a secret in them that a template has asked for. */
  refused: ReadonlySet<string>;
}

/** What a message is sent with. */
export interface Way {
  /**
   * One request, or a few, to GitHub, as what may act on the repository. `doing`: as in "could not set the status of". `longThere`:
   * what GitHub does not know there is not only too new for it.
   */
  github<Result>(
    repository: string,
    doing: string,
    act: (octokit: Octokit, place: Place) => Promise<Result>,
    longThere?: boolean,
  ): Promise<Result>;
  fetch: typeof fetch;
  /** For a URL that a request named: it does not reach this machine, or what only this machine may ask. Throws TerminalError `closed-address`. */
  fetchAsked: typeof fetch;
  /** Throws as `sendMail`. */
  mail(mail: Mail): Promise<void>;
  clock: Clock;
  signal: AbortSignal;
  /** For one answer of a receiver, in milliseconds. */
  timeoutMs: number;
  /** Whether this message was tried before: the try before may have arrived although it seemed to fail. */
  retried: boolean;
}

/** What came of sending. `id`: the number of what GitHub has made, where the kind keeps it. */
export interface Sent {
  id?: number;
  /** Entries behind this one in its target that it has told of as well. */
  covers?: readonly number[];
  /** What the other side answered; the sender fills it in, no kind. */
  answered?: Answered | undefined;
}

/** One kind of callback: all that Mainsheet knows of it. `Stored` stands in the outbox, `Rendered` is sent. */
export interface CallbackKind<
  Stored extends Callback = Callback,
  Rendered extends Message = Message,
> {
  kind: Stored['kind'];
  /** What people call it; left out: as its kind is called. */
  title?: string;
  /** The word in a spec's `feedback` that asks for it. Without one it is told whatever that says. */
  chosenAs?: FeedbackKind;
  /** The servers on which it shows what becomes of a run there; undefined: it has nothing to do with where the repository is. */
  at?: 'github' | ServerType;
  /** Whether only an App may do it, no token of a person. */
  appOnly?: true;
  /** What is to be told of a run's change of state, which is never to the same state. */
  due(change: RunChange): Stored[];
  /** What is to be told of a step that has succeeded, while its run goes on. */
  dueStep?(change: { run: Run; spec: ToldSpec; step: Step }): Stored[];
  /** The outbox's ordering key: callbacks with the same one are sent one after the other, in the order in which they were made. */
  target(callback: Stored): string;
  /** The state that it tells the other side, in a word. */
  tells(callback: Stored): string;
  importance(callback: Stored): Importance;
  /** The repository whose budget at GitHub it is paid from, as far as it is known yet; undefined for what does not go there. */
  payer(callback: Stored, notify: readonly NotifySpec[]): string | undefined;
  /** Whether a later one of the kind and target says all that an earlier one would have. Never for what does something or is counted. */
  isState?: true;
  /** Whether it shows as deployed what may not be any more: it is dropped when its run has ended and a newer one was deployed. */
  showsDeployed?: true;
  /** How long it waits before it is sent first, in milliseconds, so that others of its target can be told with it. */
  delayMs?(callback: Stored): number;
  /** Whether those of many runs wait for each other, so that old ones are given up sooner. */
  waitsForOtherRuns?: true;
  /** Fills in what only memory may hold. Throws TerminalError when it can never be sent. */
  render(callback: Stored, entry: OutboxEntry, sources: Sources): Promise<Rendered>;
  /** Where it goes, if that is a place which takes a message only now and then. */
  pacedBy?(message: Rendered): string;
  /** Milliseconds between two messages to that place; default: a second. */
  paceMs?: number;
  /** The same state without what only decorates it, for when GitHub does not take it. */
  bare?(message: Rendered): Rendered;
  /** Throws RetryableError or TerminalError. */
  send(message: Rendered, way: Way): Promise<Sent>;
  /** The name under which the number that the other side gives it is kept (`outbox.number`), for what changes it later. */
  numbered?(callback: Stored): string;
  permissions: readonly Permission[];
}
