import type { Admin } from '../../config/admins.ts';
import type { People } from '../../github/people.ts';
import type { Permissions } from '../../github/permissions.ts';
import type { SignIn } from '../../github/sign-in.ts';
import type { Broadcast } from '../../lib/broadcast.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { News } from '../../model/news.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store } from '../../store/index.ts';
import { createAdmins } from './admins.ts';
import { createKnownRepositories } from './known-repositories.ts';
import { createViewers, type ViewerOf } from './viewers.ts';

/** What a log-in with GitHub takes. */
export interface PeopleDeps {
  signIn: SignIn;
  permissions: Permissions;
  /** Whether GitHub may be asked about a repository for viewers without taking from what deployments need. */
  isAmple: (repository: string) => boolean;
  members: Pick<People, 'isMember' | 'idOf'>;
  admins: readonly Admin[];
}

/** `ViewerOf`, which hears of changes of rights. */
export function createPeopleViewers(deps: {
  people: PeopleDeps;
  store: Store;
  catalog: Catalog;
  news: Broadcast<News>;
  clock: Clock;
  logger: Logger;
}): ViewerOf {
  const { permissions, isAmple, members, admins: listed } = deps.people;
  const repositories = createKnownRepositories(deps);
  const admins = createAdmins({ ...deps, admins: listed, people: members, repositories });
  deps.news.subscribe((item) => {
    if (item.kind !== 'access') return;
    permissions.drop(item.repository);
    admins.drop();
  });
  return createViewers({
    permissions,
    isAmple,
    repositories,
    isAdmin: (user) => admins.is(user),
    clock: deps.clock,
  });
}
