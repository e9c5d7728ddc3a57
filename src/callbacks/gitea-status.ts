import { apiUrlOf } from '../lib/servers.ts';
import { serverStatus, type Shown } from './server-status.ts';

const STATES: Record<Shown, string> = {
  queued: 'pending',
  blocked: 'pending',
  running: 'pending',
  succeeded: 'success',
  deployed: 'success',
  failed: 'failure',
  error: 'error',
  cancelled: 'error',
  superseded: 'error',
};

/** Gitea and Forgejo: https://docs.gitea.com/api/#tag/repository/operation/repoCreateStatus */
export const giteaStatus = serverStatus({
  type: 'gitea',
  request: ({ server, path, sha, context, shown, description, url }) => ({
    url: `${apiUrlOf(server)}/repos/${path}/statuses/${sha}`,
    body: { context, state: STATES[shown], description, target_url: url },
  }),
  headers: (token) => ({ authorization: `token ${token}` }),
});
