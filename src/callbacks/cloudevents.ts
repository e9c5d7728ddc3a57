import { isoTime } from '../lib/clock.ts';
import { linkTo } from './describe.ts';
import { signedPost } from './signed-post.ts';

/**
 * A CloudEvent in structured mode: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md.
 * `source` and `id` together are the same for each try, and `subject` is the run.
 */
export const cloudevents = signedPost('cloudevents', {
  contentType: 'application/cloudevents+json; charset=utf-8',
  body: ({ run, id, at, publicUrl }) => ({
    specversion: '1.0',
    id,
    source: publicUrl ?? 'mainsheet',
    type: `mainsheet.run.${run.state}`,
    subject: run.id,
    time: isoTime(at),
    datacontenttype: 'application/json',
    data: {
      spec: run.spec,
      environment: run.environment,
      repository: run.repository,
      ref: run.ref,
      sha: run.sha,
      state: run.state,
      reason: run.reason,
      delivery: run.delivery,
      url: linkTo(run.id, publicUrl) ?? null,
    },
  }),
});
