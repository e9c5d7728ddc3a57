import { apiUrlOf, shortName } from '../lib/servers.ts';
import { serverStatus, type Shown } from './server-status.ts';

const STATES: Record<Shown, string> = {
  queued: 'INPROGRESS',
  blocked: 'INPROGRESS',
  running: 'INPROGRESS',
  succeeded: 'SUCCESSFUL',
  deployed: 'SUCCESSFUL',
  failed: 'FAILED',
  error: 'FAILED',
  cancelled: 'STOPPED',
  superseded: 'STOPPED',
};

/** Characters of a status's key, by which a later one takes its place. */
const MAX_KEY = 40;

/** https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses/ */
export const bitbucketStatus = serverStatus({
  type: 'bitbucket',
  request: ({ server, path, sha, context, shown, description, url }) => ({
    url: `${apiUrlOf(server)}/repositories/${path}/commit/${sha}/statuses/build`,
    body: {
      key: shortName(context, MAX_KEY),
      name: context,
      state: STATES[shown],
      description,
      url,
    },
  }),
});
