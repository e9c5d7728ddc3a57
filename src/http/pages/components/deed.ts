/** What was done, as the audit table names it (`run.retry`), in the words of a sentence: "retried run". */
const VERBS: Record<string, [did: string, to: string]> = {
  approve: ['approved', 'approve'],
  cancel: ['cancelled', 'cancel'],
  create: ['made', 'make'],
  delete: ['removed', 'remove'],
  deploy: ['deployed', 'deploy'],
  override: ['opened the window of', 'open the window of'],
  pause: ['paused', 'pause'],
  reject: ['rejected', 'reject'],
  replay: ['replayed', 'replay'],
  resume: ['resumed', 'resume'],
  retry: ['retried', 'retry'],
  rollback: ['rolled back', 'roll back'],
  rotate: ['changed the secret of', 'change the secret of'],
};

const THINGS: Record<string, string> = { outbox: 'callback', comment: 'run' };

/** `retried run`; of what was refused `tried to retry run`. An action of another version is called as it is. */
export function deedOf(action: string): string {
  const [kind = '', verb = '', refused] = action.split('.');
  const [did, to] = VERBS[verb] ?? [];
  if (did === undefined || to === undefined) return action;
  const thing = THINGS[kind] ?? kind;
  if (refused !== undefined) return `tried to ${to}${kind === 'comment' ? '' : ` ${thing}`}`;
  return action === 'outbox.retry' ? `sent again ${thing}` : `${did} ${thing}`;
}
