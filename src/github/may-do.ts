import { LEVELS, type Permission, type Permissions } from './permissions.ts';

/** What people ask of Mainsheet from GitHub. Looking needs no more than reading; all else changes what is deployed. */
export type Action = 'look' | 'retry' | 'rollback' | 'cancel' | 'deploy' | 'approve' | 'reject';

/** Whether a person may, and what GitHub says of them. */
export interface Permit {
  allowed: boolean;
  permission: Permission;
  needed: Permission;
}

/**
 * Whether the person `login` may do `action` in `owner/name` (G12). GitHub is asked, never a payload; what it says counts for a minute.
 * Throws RetryableError or TerminalError when it cannot be asked.
 */
export type MayDo = (repository: string, login: string, action: Action) => Promise<Permit>;

const FRESH_MS = 60_000;

export function createMayDo({ permissions }: { permissions: Pick<Permissions, 'of'> }): MayDo {
  return async (repository, login, action) => {
    const needed = action === 'look' ? 'read' : 'write';
    const permission = await permissions.of(repository, { login }, FRESH_MS);
    return { allowed: isAtLeast(permission, needed), permission, needed };
  };
}

/** Whether a permission is `needed` or more. */
export function isAtLeast(permission: Permission, needed: Permission): boolean {
  return LEVELS.indexOf(permission) >= LEVELS.indexOf(needed);
}
