import { describe } from 'node:test';
import type { Store } from '../../src/store/index.ts';
import { atomicallyContract } from './contract/atomically.ts';
import { deployedContract } from './contract/deployed.ts';
import { filledContract } from './contract/filled.ts';
import { githubWritesContract } from './contract/github-writes.ts';
import { hooksContract } from './contract/hooks.ts';
import { inboxContract } from './contract/inbox.ts';
import { outboxContract } from './contract/outbox.ts';
import { outboxOrderContract } from './contract/outbox-order.ts';
import { recordsContract } from './contract/records.ts';
import { repositoriesContract } from './contract/repositories.ts';
import { retentionContract } from './contract/retention.ts';
import { pausesContract } from './contract/pauses.ts';
import { recoveryContract } from './contract/recovery.ts';
import { sessionsContract } from './contract/sessions.ts';
import { runsContract } from './contract/runs.ts';
import { runLeasesContract } from './contract/run-leases.ts';

/** What every engine under the store must do. `open` gives a new, empty store each time; the suite closes it. */
export function storeContract(name: string, open: () => Promise<Store>): void {
  describe(`the store on ${name}`, () => {
    const withStore = (body: (store: Store) => Promise<void>) => async () => {
      const store = await open();
      try {
        await body(store);
      } finally {
        await store.close();
      }
    };
    inboxContract(withStore);
    runsContract(withStore);
    runLeasesContract(withStore);
    deployedContract(withStore);
    outboxContract(withStore);
    outboxOrderContract(withStore);
    githubWritesContract(withStore);
    recordsContract(withStore);
    pausesContract(withStore);
    recoveryContract(withStore);
    repositoriesContract(withStore);
    atomicallyContract(withStore);
    filledContract(withStore);
    sessionsContract(withStore);
    hooksContract(withStore);
    retentionContract(withStore);
  });
}

/** Makes a test body of one that wants an empty store. */
export type WithStore = (body: (store: Store) => Promise<void>) => () => Promise<void>;
