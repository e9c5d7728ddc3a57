import type { Octokit } from '@octokit/rest';

/** A webhook as a repository is to have it. */
export interface WantedHook {
  repository: string;
  url: string;
  /** What deliveries are signed with. */
  secret: string;
  events: readonly string[];
}

/** `kept`: it was as it has to be, as far as GitHub shows. */
export type EnsuredHook = 'made' | 'repaired' | 'kept';

/**
 * Makes the webhook of a repository that has this URL, or repairs it; others are not touched. GitHub does not show the secret,
 * so it is written in any case. Needs the right to write webhooks. Rejects as the client does.
 *
 * https://docs.github.com/en/rest/repos/webhooks
 */
export async function ensureHook(octokit: Octokit, wanted: WantedHook): Promise<EnsuredHook> {
  const [owner = '', repo = ''] = wanted.repository.split('/');
  const hooks = await octokit.paginate('GET /repos/{owner}/{repo}/hooks', {
    owner,
    repo,
    per_page: 100,
  });
  const found = hooks.find(({ config }) => config.url === wanted.url);
  const config = {
    url: wanted.url,
    content_type: 'json',
    insecure_ssl: '0',
    secret: wanted.secret,
  };
  if (found === undefined) {
    await octokit.request('POST /repos/{owner}/{repo}/hooks', {
      owner,
      repo,
      name: 'web',
      active: true,
      events: [...wanted.events],
      config,
    });
    return 'made';
  }
  const missing = wanted.events.filter((name) => !found.events.includes(name));
  const isRight =
    missing.length === 0 &&
    found.active &&
    found.config.content_type === 'json' &&
    String(found.config.insecure_ssl ?? '0') === '0';
  await octokit.request('PATCH /repos/{owner}/{repo}/hooks/{hook_id}', {
    owner,
    repo,
    hook_id: found.id,
    active: true,
    events: [...found.events, ...missing],
    config,
  });
  return isRight ? 'kept' : 'repaired';
}
