import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { emitterEventNames } from '@octokit/webhooks';
import { PERMISSIONS } from '../../src/callbacks/index.ts';
import { ACCESS_EVENTS, ACTIONS, CONTENTS, EVENTS } from '../../src/github/check.ts';
import { manifestOf } from '../../src/github/manifest.ts';
import { parseEvent } from '../../src/sources/github/events.ts';

/**
 * What each route that is called needs: https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps. Without
 * a permission: what an App may always, and what only a token does.
 */
const NEEDED: Record<string, [permission: string, access: 'read' | 'write'] | 'none'> = {
  'GET /app': 'none',
  'GET /app/hook/deliveries': 'none',
  'GET /app/installations': 'none',
  'GET /rate_limit': 'none',
  'GET /repos/{owner}/{repo}': 'none',
  'GET /repos/{owner}/{repo}/installation': 'none',
  'GET /repos/{owner}/{repo}/hooks': 'none',
  'POST /repos/{owner}/{repo}/hooks': 'none',
  'PATCH /repos/{owner}/{repo}/hooks/{hook_id}': 'none',
  'GET /repos/{owner}/{repo}/hooks/{hook_id}/deliveries': 'none',
  'POST /repos/{owner}/{repo}/statuses/{sha}': ['statuses', 'write'],
  'POST /repos/{owner}/{repo}/deployments': ['deployments', 'write'],
  'GET /repos/{owner}/{repo}/deployments': ['deployments', 'read'],
  'POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses': ['deployments', 'write'],
  'GET /repos/{owner}/{repo}/commits/{ref}': ['contents', 'read'],
  'POST /repos/{owner}/{repo}/actions/runs/{run_id}/deployment_protection_rule': [
    'deployments',
    'write',
  ],
  'POST /repos/{owner}/{repo}/check-runs': ['checks', 'write'],
  'PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}': ['checks', 'write'],
  'GET /repos/{owner}/{repo}/check-runs/{check_run_id}': ['checks', 'read'],
  'GET /repos/{owner}/{repo}/commits/{ref}/check-runs': ['checks', 'read'],
  'GET /orgs/{org}/teams/{team_slug}/memberships/{username}': ['members', 'read'],
  'GET /users/{username}': 'none',
  // "Metadata: read", which every App has.
  'GET /repos/{owner}/{repo}/collaborators/{username}/permission': 'none',
  'GET /repos/{owner}/{repo}/pulls/{pull_number}': ['pull_requests', 'read'],
  // These take "Issues" or, for a pull request, "Pull requests".
  'GET /repos/{owner}/{repo}/issues/comments/{comment_id}': ['pull_requests', 'read'],
  'PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}': ['pull_requests', 'write'],
  'POST /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions': ['pull_requests', 'write'],
  'GET /repos/{owner}/{repo}/issues/{issue_number}/comments': ['pull_requests', 'read'],
  'POST /repos/{owner}/{repo}/issues/{issue_number}/comments': ['pull_requests', 'write'],
  'GET /repos/{owner}/{repo}/commits/{commit_sha}/comments': ['contents', 'read'],
  'POST /repos/{owner}/{repo}/commits/{commit_sha}/comments': ['contents', 'read'],
  'POST /repos/{owner}/{repo}/comments/{comment_id}/reactions': ['contents', 'write'],
  'POST /repos/{owner}/{repo}/dispatches': ['contents', 'write'],
  'POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches': ['actions', 'write'],
  'GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs': ['actions', 'read'],
  'GET /repos/{owner}/{repo}/actions/runs': ['actions', 'read'],
  'GET /repos/{owner}/{repo}/actions/runs/{run_id}': ['actions', 'read'],
  'GET /repos/{owner}/{repo}/actions/runs/{run_id}/jobs': ['actions', 'read'],
  'POST /repos/{owner}/{repo}/actions/runs/{run_id}/cancel': ['actions', 'write'],
};

/** What each App gets without asking for it, those of check runs with "Checks: write". */
const UNASKED =
  /^(?:ping|check_run|check_suite|installation|installation_repositories|installation_target)$/;
/** What is said of an event that nothing reads. */
const UNREAD = 'Mainsheet deploys on push, release and workflow_run';

test('the manifest asks for what the routes that are called need, and for nothing else', () => {
  const called = new Set(
    globSync('src/**/*.ts').flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/'((?:GET|POST|PATCH|PUT|DELETE) \/[^'\s]+)'/g)].map(
        ([, route = '']) => route,
      ),
    ),
  );
  const needed = new Map<string, string>([[ACTIONS.name, ACTIONS.least]]);
  needed.set(CONTENTS.name, 'read');
  for (const route of called) {
    const need = NEEDED[route];
    assert.ok(need, `${route} has no line in this test`);
    if (need === 'none') continue;
    const [name, access] = need;
    if (access === 'write' || !needed.has(name)) needed.set(name, access);
  }
  const {
    default_permissions: asked,
    default_events: events,
    callback_urls: callbacks,
  } = manifestOf({
    name: 'Mainsheet',
    publicUrl: 'https://mainsheet.example',
    redirectUrl: 'https://mainsheet.example/setup/callback',
    permissions: [...PERMISSIONS, { ...ACTIONS, least: 'write' }, { ...CONTENTS, least: 'write' }],
  });
  assert.deepEqual(asked, Object.fromEntries(needed));
  assert.deepEqual(events, [...EVENTS, ...ACCESS_EVENTS]);
  assert.deepEqual(callbacks, ['https://mainsheet.example/auth/github/callback']);
});

test('it asks for the events that are read, and for no other', () => {
  const names = emitterEventNames.filter((name) => !name.includes('.') && !UNASKED.test(name));
  const read = names.filter((name) => {
    const event = parseEvent(name, {});
    return event.kind !== 'other' || event.reason !== UNREAD;
  });
  assert.deepEqual(EVENTS.toSorted(), read.toSorted());
});
