import { readFields, readName, readRefName } from './github/payload.ts';
import { readMove, readPlace, type ReadServerEvent } from './server-push.ts';

/** What a release's change is called by GitHub, and so in specs. */
const ACTIONS: Record<string, string> = {
  create: 'published',
  update: 'edited',
  delete: 'deleted',
};

/** https://docs.gitlab.com/user/project/integrations/webhook_events/ */
export const readGitlabEvent: ReadServerEvent = (server, body) => {
  const { object_kind: kind } = body;
  if (kind === undefined) return undefined;
  const repository = readPlace(
    server,
    readFields(body.project, 'project').path_with_namespace,
    'project.path_with_namespace',
  );
  if (kind === 'push' || kind === 'tag_push') {
    return readMove(repository, { ref: body.ref, before: body.before, after: body.after });
  }
  if (kind !== 'release') {
    const name = readName(kind, 'object_kind');
    const reason = `a ${name} of GitLab starts nothing`;
    return { kind: 'other', name, action: undefined, repository, reason };
  }
  const action = readName(body.action, 'action');
  return {
    kind: 'release',
    repository,
    action: ACTIONS[action] ?? action,
    tag: readRefName(body.tag, 'tag'),
    draft: false,
    prerelease: false,
    sha: undefined,
  };
};
