import type { DeploymentSpec, FeedbackKind } from '../model/deployment-spec.ts';
import { elsewhere } from '../lib/names.ts';
import { formatDuration } from '../lib/duration.ts';
import type { PullTrigger } from '../model/preview.ts';
import { describeWaits } from '../model/step-gate.ts';
import { defaultFeedback } from './schema.ts';

/** What a key of a spec means for its runs, in a sentence. */
export interface Said {
  key: string;
  detail: string;
  /** Whether it is so without being written. */
  default: boolean;
}

/** What GitHub calls the words of `feedback`. */
export const FEEDBACK: Record<FeedbackKind, string> = {
  status: 'commit status',
  deployment: 'Deployment',
  check: 'check run',
};

/** What a spec says of its runs beside what starts them and what they do: also where it leaves that to the default. Pure. */
export function saysOf(spec: DeploymentSpec): Said[] {
  const { feedback, comments, afterRollback, concurrency, on, name, badge } = spec;
  const told = feedback.map((kind) => `a ${FEEDBACK[kind]}`).join(', ');
  const host = elsewhere(spec.repository)?.server ?? 'GitHub';
  return [
    ...describeWaits(spec).map((detail) => ({ key: 'gates', detail, default: false })),
    ...(on.pullRequest === undefined ? [] : [previews(spec, on.pullRequest)]),
    {
      key: 'feedback',
      detail: told === '' ? `${host} shows nothing of it` : `${host} shows ${told}`,
      default: String(feedback) === String(defaultFeedback(spec.repository)),
    },
    {
      key: 'comments',
      detail: comments
        ? 'people with write permission may give commands in comments'
        : 'takes no commands in comments',
      default: !comments,
    },
    ...(on.pullRequest === undefined
      ? [
          {
            key: 'after-rollback',
            detail:
              afterRollback === 'hold'
                ? `a rollback pauses the lane ${concurrency.lane}`
                : 'after a rollback the next commit is deployed',
            default: afterRollback === 'hold',
          },
        ]
      : []),
    ...(badge === true
      ? [
          {
            key: 'badge',
            detail: `everyone may see its state at /badge/${name}.svg`,
            default: false,
          },
        ]
      : []),
  ];
}

function previews({ environment }: DeploymentSpec, { ttlMs, most, forks }: PullTrigger): Said {
  const whose = forks ? 'those of forks too' : 'none of forks';
  const until = `until it is closed, or ${formatDuration(ttlMs)} after its last commit`;
  return {
    key: 'pull_request',
    detail: `each is deployed to ${environment}-<number>, ${until}; at most ${most} at once, ${whose}`,
    default: false,
  };
}
