import { isoTime } from '../lib/clock.ts';
import { linkTo } from './describe.ts';
import { signedPost } from './signed-post.ts';

/** A signed HTTP request (Standard Webhooks). */
export const webhook = signedPost('webhook', {
  title: 'Webhook',
  contentType: 'application/json',
  body: ({ run, at, publicUrl }) => ({
    type: `run.${run.state}`,
    timestamp: isoTime(at),
    data: {
      run: run.id,
      spec: run.spec,
      environment: run.environment,
      repository: run.repository,
      ref: run.ref,
      sha: run.sha,
      state: run.state,
      reason: run.reason,
      url: linkTo(run.id, publicUrl) ?? null,
    },
  }),
});
