import { isoTime } from '../lib/clock.ts';
import { hasEnded, type Run } from '../model/run.ts';
import { callbackKind } from './kind.ts';
import { linkTo } from './describe.ts';
import { postSigned, type SignedPost } from './signed-post.ts';

/** Where the sender of a request wants to hear what came of it. */
export interface AnswerTo {
  /** The request's. */
  delivery: string;
  /** As the request has it: a stranger wrote it. */
  url: string;
  /** Name of the secret that signs. */
  secret: string;
}

export interface AnswerCallback {
  kind: 'answer';
  to: AnswerTo;
  run: Run;
}

/**
 * The result of a run, for who sent the request to a hook that started it (`respond.callback`). The URL is from the request: it is
 * asked as one that a stranger wrote. Secrets in outputs are masked, as in all that is stored of a run.
 */
export const answer = callbackKind<AnswerCallback, SignedPost<'answer'>>({
  kind: 'answer',
  title: 'Answer to the sender',
  due: ({ run, answerTo = [] }) =>
    hasEnded(run.state) ? answerTo.map((to) => ({ kind: 'answer', to, run })) : [],
  target: ({ to, run }) => `answer:${to.delivery}:${run.spec}`,
  tells: ({ run }) => run.state,

  async render({ run, to }, entry, { publicUrl, secret }) {
    return {
      kind: 'answer',
      id: `msg_${run.id}_${entry.id}`,
      url: to.url,
      key: secret(to.secret),
      body: {
        type: `run.${run.state}`,
        timestamp: isoTime(entry.createdAt),
        data: {
          delivery: to.delivery,
          run: run.id,
          spec: run.spec,
          state: run.state,
          reason: run.reason,
          outputs: run.outputs,
          url: linkTo(run.id, publicUrl) ?? null,
        },
      },
    };
  },

  async send(message, way) {
    await postSigned(message, 'application/json', { ...way, fetch: way.fetchAsked });
    return {};
  },
});
