import type { Callback } from '../model/callback.ts';
import { IMPORTANCE, type Importance } from '../model/importance.ts';

/** How much a new callback matters; see `IMPORTANCE`. */
export function importanceOf(callback: Callback): Importance {
  switch (callback.kind) {
    case 'status':
      return callback.state === 'pending' ? IMPORTANCE.intermediate : IMPORTANCE.final;
    case 'deployment':
      return IMPORTANCE.creation;
    case 'deployment-status':
      return callback.state === 'queued' || callback.state === 'in_progress'
        ? IMPORTANCE.intermediate
        : IMPORTANCE.deployment;
    case 'dispatch':
    case 'webhook':
      return IMPORTANCE.notification;
  }
}

/** Whose budget at GitHub a write to `owner/name` is paid from: the owner, in lower case, as GitHub does not tell cases apart. */
export function ownerOf(repository: string): string {
  return (repository.split('/')[0] ?? '').toLowerCase();
}
