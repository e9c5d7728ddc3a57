import type { Context } from 'koa';
import type { Person } from '../../controller/operator/gates.ts';

/** What changes something. Each is the action of a button, of a route and of the audit. */
export type Action =
  | 'cancel'
  | 'retry'
  | 'rollback'
  | 'approve'
  | 'reject'
  | 'override'
  | 'deploy'
  | 'replay'
  | 'resend'
  | 'pause'
  | 'resume';

/**
 * Who asks, and what they may see and do (G12). What a viewer may not see does not exist for them: lists are filtered where
 * they are read (`visible`), one thing by `canSee`.
 */
export interface Viewer {
  /** As the audit table names people. */
  actor: string;
  /** Who they are to a gate. */
  person: Person;
  /** The repositories that they may see, in small letters; undefined: all. What belongs to none is then seen too. */
  visible: readonly string[] | undefined;
  canSee(repository: string | undefined): boolean;
  /** Whether a button is shown and a request obeyed. Never true for what `canSee` denies. */
  canDo(action: Action, repository: string | undefined): boolean;
}

/** The holder of the admin token, or of a session that it began, or one of `MAINSHEET_ADMINS`. */
export function administrator(actor: string): Viewer {
  return {
    actor,
    person: { administrator: actor },
    visible: undefined,
    canSee: () => true,
    canDo: () => true,
  };
}

/** Who a viewer is to a gate. A window is opened by those whom `canDo` lets, whatever they are to other gates. */
export function personFor(viewer: Viewer, action: 'approve' | 'reject' | 'override'): Person {
  return action === 'override' ? { administrator: viewer.actor } : viewer.person;
}

/** Who asks, on a route that is not open. */
export function viewerOf(ctx: Context): Viewer {
  return ctx.state['viewer'] as Viewer;
}
