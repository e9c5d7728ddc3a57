import { readFields, readName, readRefName } from './github/payload.ts';
import { readMove, readPlace, type ReadServerEvent } from './server-push.ts';

/** What a release's change is called by GitHub, and so in specs. */
const ACTIONS: Record<string, string> = { updated: 'edited' };

/** Gitea and Forgejo: https://docs.gitea.com/usage/webhooks, https://forgejo.org/docs/latest/user/webhooks/ */
export const readGiteaEvent: ReadServerEvent = (server, body) => {
  if (body.repository === undefined) return undefined;
  const { full_name: path } = readFields(body.repository, 'repository');
  const repository = readPlace(server, path, 'repository.full_name');
  const { ref, before, after, action } = body;
  const isPush = [ref, before, after].every((value) => typeof value === 'string');
  if (isPush && action === undefined) return readMove(repository, { ref, before, after });
  if (body.release === undefined || action === undefined) return undefined;
  const release = readFields(body.release, 'release');
  const name = readName(action, 'action');
  return {
    kind: 'release',
    repository,
    action: ACTIONS[name] ?? name,
    tag: readRefName(release.tag_name, 'release.tag_name'),
    draft: release.draft === true,
    prerelease: release.prerelease === true,
    sha: undefined,
  };
};
