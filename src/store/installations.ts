import { sql } from 'kysely';
import type { InstallationEvent } from '../model/event.ts';
import { queries, type Db } from './query.ts';

/** Rows that one statement writes. */
const AT_ONCE = 500;

/** `missing`: no event told of it, but GitHub, when it was asked, knew of none. */
export type InstallationState = 'installed' | 'suspended' | 'removed' | 'missing';

/** On which repositories the App is installed, as far as events or GitHub's answers have told. */
export function createInstallations(db: Db) {
  const { all, change, first } = queries(db);

  return {
    /** Notes what an event has told. `now` in milliseconds. */
    async note(event: InstallationEvent, now: number): Promise<void> {
      const { installation } = event;
      switch (event.change) {
        case 'added':
        case 'removed': {
          const state: InstallationState = event.change === 'added' ? 'installed' : 'removed';
          for (let from = 0; from < event.repositories.length; from += AT_ONCE) {
            const rows = event.repositories
              .slice(from, from + AT_ONCE)
              .map((name) => sql`(${name.toLowerCase()}, ${installation}, ${state}, ${now})`);
            await change`insert into installations (repository, installation, state, changed_at)
              values ${sql.join(rows)}
              on conflict (repository) do update set installation = excluded.installation,
                state = excluded.state, changed_at = excluded.changed_at`;
          }
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
          const rows = await all<{ repository: string }>`
            select repository from installations where installation = ${installation}`;
          for (const { repository } of rows) {
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
    async stateOf(repository: string): Promise<InstallationState | undefined> {
      const row = await first<{ state: InstallationState }>`
        select state from installations where repository = ${repository.toLowerCase()}`;
      return row?.state;
    },
  };
}
