import { apiUrlOf } from '../lib/servers.ts';
import { serverStatus, type Shown } from './server-status.ts';

const STATES: Record<Shown, string> = {
  queued: 'pending',
  blocked: 'pending',
  running: 'running',
  succeeded: 'success',
  deployed: 'success',
  failed: 'failed',
  error: 'failed',
  cancelled: 'canceled',
  superseded: 'canceled',
};

/**
 * https://docs.gitlab.com/api/commits/#set-commit-pipeline-status. GitLab refuses a state that the commit has already
 * (https://gitlab.com/gitlab-org/gitlab-foss/-/issues/25807).
 */
export const gitlabStatus = serverStatus({
  type: 'gitlab',
  request: ({ server, path, sha, context, shown, description, url }) => ({
    url: `${apiUrlOf(server)}/projects/${encodeURIComponent(path)}/statuses/${sha}`,
    body: { state: STATES[shown], name: context, description, target_url: url },
  }),
  isThere: (answer) => /cannot transition status via/i.test(answer),
});
