import type { InstallationEvent } from '../model/event.ts';
import { inParts, inPlace, queries, type Db } from './query.ts';

/** `missing`: no event told of it, but GitHub, when it was asked, knew of none. */
export type InstallationState = 'installed' | 'suspended' | 'removed' | 'missing';

/** On which repositories the App is installed, as far as events or GitHub's answers have told. */
export function createInstallations(db: Db) {
  const { all, change, column, value } = queries(db);

  return {
    /** Notes what an event has told. `now` in milliseconds. */
    async note(event: InstallationEvent, now: number): Promise<void> {
      const { installation } = event;
      switch (event.change) {
        case 'added':
        case 'removed': {
          const state: InstallationState = event.change === 'added' ? 'installed' : 'removed';
          const row = { installation, state, changed_at: now };
          await inParts(event.repositories, (names) => {
            const rows = names.map((name) => ({ repository: name.toLowerCase(), ...row }));
            return all`insert into installations ${inPlace(['repository'], rows)}`;
          });
          return;
        }
        case 'deleted':
        case 'suspended':
        case 'unsuspended': {
          const states = { deleted: 'removed', suspended: 'suspended', unsuspended: 'installed' };
          await change`update installations set state = ${states[event.change]}, changed_at = ${now}
            where installation = ${installation} and state <> 'removed'`;
          return;
        }
        case 'renamed': {
          const known = await column<string>`
            select repository from installations where installation = ${installation}`;
          for (const repository of known) {
            const renamed = `${event.owner}/${repository.split('/')[1]}`.toLowerCase();
            if (renamed === repository) continue;
            await change`delete from installations where repository = ${renamed}`;
            await change`update installations set repository = ${renamed}, changed_at = ${now}
              where repository = ${repository}`;
          }
        }
      }
    },

    /** Notes what GitHub has said when it was asked for the repository's installation. */
    async noteAsked(repository: string, isThere: boolean, now: number): Promise<void> {
      const name = repository.toLowerCase();
      if (isThere) {
        await change`delete from installations where repository = ${name} and state = 'missing'`;
        return;
      }
      await change`insert into installations (repository, installation, state, changed_at)
        values (${name}, 0, 'missing', ${now})
        on conflict (repository) do update set state = 'missing', changed_at = ${now}
          where installations.state = 'installed'`;
    },

    /** Undefined when nothing has told. */
    stateOf: (repository: string) =>
      value<InstallationState>`
        select state from installations where repository = ${repository.toLowerCase()}`,
  };
}
