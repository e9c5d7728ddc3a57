import * as z from 'zod';
import { elsewhere } from '../lib/names.ts';
import type { Triggers } from '../model/deployment-spec.ts';
import type { PullTrigger } from '../model/preview.ts';
import { duration, optional, whole } from './schema-fields.ts';
import { patterns, refPattern } from './schema-patterns.ts';

const DAY = 24 * 60 * 60_000;
const DEFAULT_MOST = 5;

const pullRequest = z.strictObject({
  branches: patterns(
    'Filter patterns of the branch that it is to be merged into. Without it every branch counts.',
    refPattern,
  ),
  ttl: optional(
    'How long a preview lives without another commit. Default: 7d; at most 90d.',
    duration(60_000, 90 * DAY, 'at least 1m and at most 90d'),
  ),
  max: optional(
    `How many previews of this spec there may be at once. Default: ${DEFAULT_MOST}.`,
    whole(1, 100),
  ),
  forks: optional(
    "Whether pull requests of forks are deployed, too: strangers' code. Never with secrets. Default: false.",
    z.boolean(),
  ),
});

/** The written `on.pull_request`; nothing: all of it as it is by default. */
export const pullRequests = z.union([z.null(), pullRequest]).transform((written): PullTrigger => {
  const { branches = [], ttl = 7 * DAY, max = DEFAULT_MOST, forks = false } = written ?? {};
  return { branches, ttlMs: ttl, most: max, forks };
});

/** What deploys pull requests has to say how they are taken down, and nothing else may. */
export function checkPreview(
  spec: { on: Triggers; teardown?: unknown; batch?: unknown; repository: string },
  context: z.RefinementCtx,
): void {
  const refuse = (path: string[], message: string, hint: string) =>
    context.addIssue({ code: 'custom', path, message, params: { hint } });
  const { on, teardown, batch, repository } = spec;
  if (on.pullRequest === undefined) {
    if (teardown === undefined) return;
    refuse(['teardown'], '"teardown" is for specs with on.pull_request', 'take it out');
    return;
  }
  const at = ['on', 'pull_request'];
  if (teardown === undefined) {
    const hint = 'write steps that take away what "steps" have made';
    refuse(at, 'previews need "teardown"', hint);
  }
  if (batch !== undefined) refuse(['batch'], 'pull requests are not gathered', 'take it out');
  if (elsewhere(repository) !== undefined) {
    refuse(at, 'pull requests are deployed of repositories on GitHub alone', 'take it out');
  }
}
