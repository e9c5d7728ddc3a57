import { formatDuration } from '../lib/duration.ts';
import type { DeploymentSpec, LoadedSpec } from './deployment-spec.ts';
import { ownEvents } from './own-event.ts';
import type { Run } from './run.ts';

/** How a run ended that starts another spec. What was superseded did nothing. */
export const CHAIN_STATES = ['succeeded', 'failed', 'cancelled'] as const;

export type ChainState = (typeof CHAIN_STATES)[number];

/** One entry of `on.deployment`: the spec is started at the revision of another spec's run. */
export interface ChainTrigger {
  /** The other spec. */
  spec: string;
  states: readonly ChainState[];
  /** How long the other's deployment has to be healthy first, in milliseconds. */
  soakMs: number;
}

/** What is stored of a run that starts a spec: the payload of its delivery, and what expressions call `event`. */
export interface ChainPayload {
  /** The spec that is started. */
  spec: string;
  deployment: {
    run: string;
    spec: string;
    environment: string;
    state: ChainState;
    repository: string;
    ref: string;
    sha: string;
  };
}

const events = ownEvents('deployment');
/** What a delivery that starts a spec has as its event. */
export const chainEventName = events.nameOf;
/** The spec that a delivery starts, by its event's name; undefined for others. */
export const chainOfEvent = events.aboutOf;

/** The trigger of a spec that a run of another one fires when it ends so. */
export function chainTriggerOf(
  { on }: Pick<DeploymentSpec, 'on'>,
  spec: string,
  state: string,
): ChainTrigger | undefined {
  return on.deployments?.find(
    (trigger) => trigger.spec === spec && trigger.states.some((one) => one === state),
  );
}

/** A spec that another one starts. */
export interface Follower {
  spec: string;
  trigger: ChainTrigger;
}

/** What a spec starts, of all specs. Pure. */
export function followersOf(name: string, specs: readonly LoadedSpec[]): Follower[] {
  return specs.flatMap(({ spec }) =>
    (spec.on.deployments ?? [])
      .filter((trigger) => trigger.spec === name)
      .map((trigger) => ({ spec: spec.name, trigger })),
  );
}

/** In the place of the specs that a run starts, while no specs have been read that say which. */
export const UNREAD = '';

/** Which specs a run starts that has ended `at`, and when. Pure. */
export function chainsOf(
  run: Pick<Run, 'id' | 'state'>,
  followers: readonly Follower[],
  at: number,
): { run: string; spec: string; dueAt: number }[] {
  return followers
    .filter(({ trigger }) => trigger.states.some((state) => state === run.state))
    .map(({ spec, trigger }) => ({ run: run.id, spec, dueAt: at + trigger.soakMs }));
}

/** When a trigger starts its spec, for people: `succeeded, healthy for 30m`. Pure. */
export function describeChain({ states, soakMs }: ChainTrigger): string {
  const soak = soakMs === 0 ? '' : `, healthy for ${formatDuration(soakMs)}`;
  return `${states.join(' or ')}${soak}`;
}
