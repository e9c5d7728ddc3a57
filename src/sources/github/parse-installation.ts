import type { InstallationEvent } from '../../model/event.ts';
import { TerminalError } from '../../lib/errors.ts';
import { readFields, readName, readRepository, type Fields } from './payload.ts';

/** GitHub lists at most so many repositories in one payload as it allows bytes. */
const MOST_REPOSITORIES = 50_000;

/**
 * What became of an installation of the App; undefined when nothing that matters here. Throws TerminalError `payload-unreadable`.
 * https://docs.github.com/en/webhooks/webhook-events-and-payloads#installation
 */
export function parseInstallation(name: string, payload: Fields): InstallationEvent | undefined {
  const action = readName(payload.action, 'action');
  const installation = idOf(readFields(payload.installation, 'installation'));
  const event = { kind: 'installation', installation } as const;
  // Other events of an organization have an installation and are "created" or "deleted", too.
  const isOther = !Array.isArray(payload.repositories) && /^(?:created|deleted)$/.test(action);
  if (name === 'installation' && isOther) return undefined;
  switch (`${name} ${action}`) {
    case 'installation created':
      return { ...event, change: 'added', repositories: listed(payload, 'repositories') };
    case 'installation_repositories added':
      return { ...event, change: 'added', repositories: listed(payload, 'repositories_added') };
    case 'installation_repositories removed':
      return { ...event, change: 'removed', repositories: listed(payload, 'repositories_removed') };
    case 'installation deleted':
      return { ...event, change: 'deleted' };
    case 'installation suspend':
      return { ...event, change: 'suspended' };
    case 'installation unsuspend':
      return { ...event, change: 'unsuspended' };
    case 'installation_target renamed': {
      const account = readFields(payload.account, 'account');
      const login = account.login ?? account.slug ?? null;
      return { ...event, change: 'renamed', owner: readName(login, 'account.login') };
    }
    default:
      return undefined;
  }
}

function idOf(installation: Fields): number {
  const { id } = installation;
  if (typeof id === 'number' && Number.isSafeInteger(id) && id > 0) return id;
  throw new TerminalError('payload-unreadable', 'installation.id is no number of an installation');
}

function listed(payload: Fields, field: string): string[] {
  const list = payload[field];
  if (!Array.isArray(list)) throw new TerminalError('payload-unreadable', `${field} is no list`);
  return list
    .slice(0, MOST_REPOSITORIES)
    .map((one, index) => readRepository(one, `${field}[${index}]`));
}
