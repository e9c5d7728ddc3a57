import { keyOf } from '../../controller/operator/gates.ts';
import { isAtLeast } from '../../github/may-do.ts';
import type { KnownUser, Permission, Permissions } from '../../github/permissions.ts';
import type { Clock } from '../../lib/clock.ts';
import { RetryableError } from '../../lib/errors.ts';
import { ProblemError } from '../problem.ts';
import type { IsAdmin } from './admins.ts';
import { administrator, type Action, type Viewer } from './viewer.ts';

/** An answer of GitHub counts for so long, unless an event says that something has changed. */
const FRESH_MS = 5 * 60_000;
/** From then on it is asked for again while the answer still counts, so that no page waits for it. */
const SOON_MS = 2 * 60_000;
/** A repository that GitHub could not be asked about is asked about again after so long. */
const FAILED_MS = 10_000;
/** Questions about one person that are under way at once. */
const AT_ONCE = 10;
/** Failures that are remembered. */
const MOST_FAILED = 20_000;

/** What each action needs: https://docs.github.com/en/organizations/managing-user-access-to-your-organizations-repositories/managing-repository-roles/repository-roles-for-an-organization */
const NEEDED: Record<Action, Permission> = {
  cancel: 'write',
  retry: 'write',
  rollback: 'write',
  approve: 'write',
  reject: 'write',
  deploy: 'write',
  replay: 'write',
  resend: 'write',
  override: 'admin',
  pause: 'admin',
  resume: 'admin',
};

/**
 * What a user of GitHub may see and do: in each repository that Mainsheet knows, what GitHub says they may there. What GitHub does
 * not say is not theirs. Throws ProblemError 503 while nothing is known of them and GitHub cannot be asked.
 */
export type ViewerOf = (user: KnownUser) => Promise<Viewer>;

export function createViewers(deps: {
  permissions: Pick<Permissions, 'known' | 'of'>;
  /** Whether GitHub may be asked about a repository now; until it may, what is not known is not shown. */
  isAmple: (repository: string) => boolean;
  /** In small letters. */
  repositories: () => Promise<readonly string[]>;
  isAdmin: IsAdmin;
  clock: Pick<Clock, 'elapsed'>;
}): ViewerOf {
  const { permissions, clock } = deps;
  const failures = new Map<string, { until: number; passes: boolean }>();
  const renewing = new Set<number>();

  /** Undefined when GitHub does not say; `passes` then tells whether it may say later. */
  async function ask(
    repository: string,
    user: KnownUser,
    maxAgeMs: number,
  ): Promise<{ permission: Permission } | { passes: boolean }> {
    const key = `${repository} ${user.id}`;
    const failure = failures.get(key);
    if (failure !== undefined && clock.elapsed() < failure.until) return failure;
    if (!deps.isAmple(repository)) return { passes: true };
    try {
      return { permission: await permissions.of(repository, user, maxAgeMs) };
    } catch (error) {
      if (failures.size >= MOST_FAILED) failures.clear();
      const failed = {
        until: clock.elapsed() + FAILED_MS,
        passes: error instanceof RetryableError,
      };
      failures.set(key, failed);
      return failed;
    }
  }

  function renew(repositories: readonly string[], user: KnownUser): void {
    if (repositories.length === 0 || renewing.has(user.id)) return;
    renewing.add(user.id);
    void inParallel(repositories, (one) => ask(one, user, SOON_MS)).finally(() =>
      renewing.delete(user.id),
    );
  }

  return async (user) => {
    const actor = keyOf({ login: user.login });
    if (await deps.isAdmin(user)) return administrator(actor);
    const repositories = await deps.repositories();
    const held = new Map<string, Permission>();
    const unknown: string[] = [];
    const old: string[] = [];
    for (const repository of repositories) {
      const known = permissions.known(repository, user);
      if (known === undefined || known.ageMs >= FRESH_MS) unknown.push(repository);
      else held.set(repository, known.permission);
      if (known !== undefined && known.ageMs >= SOON_MS) old.push(repository);
    }
    renew(old, user);
    let passes = false;
    await inParallel(unknown, async (repository) => {
      const answer = await ask(repository, user, FRESH_MS);
      if ('permission' in answer) held.set(repository, answer.permission);
      else passes ||= answer.passes;
    });
    if (held.size === 0 && passes) {
      throw new ProblemError(503, 'github-away', 'GitHub does not say what you may see', {
        hint: 'try again in a minute; the admin token works without GitHub',
        headers: { 'Retry-After': '60' },
      });
    }
    return viewer(actor, user.login, held);
  };
}

function viewer(actor: string, login: string, held: ReadonlyMap<string, Permission>): Viewer {
  const may = (repository: string | undefined, needed: Permission) =>
    isAtLeast(held.get(repository?.toLowerCase() ?? '') ?? 'none', needed);
  return {
    actor,
    person: { login },
    visible: [...held.keys()].filter((repository) => may(repository, 'read')),
    canSee: (repository) => may(repository, 'read'),
    canDo: (action, repository) => may(repository, NEEDED[action]),
  };
}

async function inParallel<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<unknown>,
): Promise<void> {
  const left = items.values();
  const worker = async () => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
}
